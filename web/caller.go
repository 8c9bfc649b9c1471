package web

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"sallyport/mfa"
	"sallyport/provider/origin"
)

// Caller returns who makes the request, and from where.
func Caller(c *gin.Context) mfa.Caller {
	k := callOf(c)
	if !k.known {
		country := ""
		if of := k.server.o.Country; of != nil {
			country = of(k.address)
		}
		k.known, k.caller = true, mfa.Caller{
			Country:       country,
			Session:       Cookie(c, SessionCookie),
			Device:        Cookie(c, DeviceCookie),
			Familiar:      Cookie(c, FamiliarCookie),
			Remembered:    Cookie(c, RememberedCookie),
			Reading:       c.Request.Method == "GET" || c.Request.Method == "HEAD",
			Origin:        origin.OfHeader(c.GetHeader("Origin")),
			Address:       k.address,
			UserAgent:     printable(c.Request.UserAgent()),
			CorrelationID: k.correlation,
			Certificates:  k.certificates,
			Locale:        preferred(c, nil),
		}
	}
	v := k.caller
	v.Browser = k.browser // Bind may have created it
	return v
}

// Languages are the supported languages, the fallback first.
func Languages(c *gin.Context) []string { return callOf(c).server.tags }

// languageAge is how long a browser remembers a chosen language.
const languageAge = 365 * 24 * time.Hour

// ChooseLanguage remembers a supported language in the browser. It reports whether it is one.
func ChooseLanguage(c *gin.Context, language string) bool {
	if !slices.Contains(Languages(c), language) {
		return false
	}
	SetCookie(c, LanguageCookie, language, languageAge)
	return true
}

// Locale returns the supported language that fits best: the one chosen on a page, else one
// of those requested (ui_locales, OpenID Connect Core section 3.1.2.1), else one of
// Accept-Language.
func Locale(c *gin.Context, locales ...string) string {
	if len(locales) == 0 {
		return Caller(c).Locale
	}
	return preferred(c, locales)
}

func preferred(c *gin.Context, locales []string) string {
	s := callOf(c).server
	if chosen := Cookie(c, LanguageCookie); slices.Contains(s.tags, chosen) {
		return chosen
	}
	for _, text := range locales {
		tag, err := language.Parse(text)
		if err != nil {
			continue
		}
		if _, i, confidence := s.matcher.Match(tag); confidence >= language.Low {
			return s.tags[i]
		}
	}
	accept := c.GetHeader("Accept-Language")
	if len(accept) > 256 {
		return s.tags[0]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return s.tags[0]
	}
	_, i, _ := s.matcher.Match(tags...)
	return s.tags[i]
}

// printable makes a header safe to show and store: 256 bytes of valid text without control
// characters and marks that change the direction of writing.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > 256 {
		text = strings.ToValidUTF8(text[:256], "")
	}
	return text
}
