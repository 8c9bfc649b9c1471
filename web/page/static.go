package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"

	"sallyport/mfa"
	"sallyport/web"

	"github.com/gin-gonic/gin"
)

const staticRoute = "/static/:version/:name"

// static serves style, script and images under an address that changes with their content,
// so that browsers may cache them forever.
type static struct {
	files   map[string][]byte
	version string
	address string
}

// kinds are the media types of files; files with other extensions are refused.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
}

func newStatic(files layers) (*static, error) {
	all, err := files.names("static")
	if err != nil {
		return nil, fmt.Errorf("list static files: %w", err)
	}
	slices.Sort(all)
	s := &static{files: map[string][]byte{}}
	sum := sha256.New()
	for _, name := range all {
		if kinds[path.Ext(name)] == "" {
			return nil, fmt.Errorf("static file %s has an unknown extension", name)
		}
		text, err := fs.ReadFile(files, path.Join("static", name))
		if err != nil {
			return nil, fmt.Errorf("read static file: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		s.files[name] = text
	}
	s.version = hex.EncodeToString(sum.Sum(nil))[:16]
	s.address = "/static/" + s.version
	return s, nil
}

func (s *static) serve(c *gin.Context) {
	name := c.Param("name")
	text, ok := s.files[name]
	if !ok {
		web.Refused(c, mfa.Refusal{Reason: web.CodeNotFound})
		c.Header("Content-Type", "text/plain; charset=utf-8")
		c.String(http.StatusNotFound, "not found")
		return
	}
	// While two versions of the server run, the page of one may request the other's version
	// of a file. The browser must not cache this one under that address.
	c.Header("Cache-Control", "no-cache")
	if c.Param("version") == s.version {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Data(http.StatusOK, kinds[path.Ext(name)], text)
}
