package login

import (
	"embed"
	"io/fs"
)

//go:embed templates messages
var embedded embed.FS

// Files are the templates and texts of these pages, for page.New.
func Files() fs.FS { return embedded }
