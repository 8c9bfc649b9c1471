package main

import (
	"net/http"

	"sallyport/web/admin"
)

// problem is a refusal of the admin API.
type problem struct{ admin.Problem }

func (e *problem) Error() string {
	text := shownText(e.Detail)
	if e.Status >= http.StatusInternalServerError {
		text += " (support id " + e.Support + ")"
	}
	return text
}
