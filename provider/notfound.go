package provider

import (
	"errors"

	"sallyport/storage"
)

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
