package adminclient

import (
	"net/http"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// Problem is a refusal of the admin API.
type Problem struct{ admin.Problem }

func (e *Problem) Error() string {
	text := cli.Printable(e.Detail)
	if e.Status >= http.StatusInternalServerError {
		text += " (support id " + e.Support + ")"
	}
	return text
}
