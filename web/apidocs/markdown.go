package apidocs

import (
	"html/template"
	"regexp"
	"strings"
)

var (
	bullet   = regexp.MustCompile(`^[-*] +`)
	numbered = regexp.MustCompile(`^[0-9]+[.)] +`)
)

// markdown renders a small part of CommonMark: paragraphs, lists, blocks of code, `code`,
// **strong** and [links](https://...). Everything else is text.
func markdown(text string) template.HTML {
	var b strings.Builder
	for _, block := range blocks(text) {
		switch first := block[0]; {
		case strings.HasPrefix(first, fence):
			b.WriteString("<pre tabindex=\"0\"><code>" + template.HTMLEscapeString(strings.Join(block[1:], "\n")) + "</code></pre>")
		case bullet.MatchString(first):
			b.WriteString("<ul>" + items(block, bullet) + "</ul>")
		case numbered.MatchString(first):
			b.WriteString("<ol>" + items(block, numbered) + "</ol>")
		default:
			b.WriteString("<p>" + inline(strings.Join(block, " ")) + "</p>")
		}
	}
	return template.HTML(b.String())
}

const fence = "```"

// blocks splits a text at empty lines, and at the ends of lists and blocks of code. A block
// of code begins with its fence and has no other.
func blocks(text string) [][]string {
	var out [][]string
	var block []string
	end := func() {
		if len(block) > 0 {
			out = append(out, block)
		}
		block = nil
	}
	code := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		mark := strings.HasPrefix(strings.TrimSpace(line), fence)
		switch {
		case code && mark:
			code = false
			end()
		case code:
			block = append(block, line)
		case mark:
			end()
			code, block = true, []string{fence}
		case strings.TrimSpace(line) == "":
			end()
		default:
			line = strings.TrimSpace(line)
			if len(block) > 0 && entry(line) && !entry(block[0]) {
				end()
			}
			block = append(block, line)
		}
	}
	end()
	return out
}

func entry(line string) bool { return bullet.MatchString(line) || numbered.MatchString(line) }

// items renders the entries of a list; a line without a mark continues the entry before.
func items(block []string, mark *regexp.Regexp) string {
	var all []string
	for _, line := range block {
		if text := mark.ReplaceAllString(line, ""); text != line || len(all) == 0 {
			all = append(all, text)
			continue
		}
		all[len(all)-1] += " " + line
	}
	for i := range all {
		all[i] = "<li>" + inline(all[i]) + "</li>"
	}
	return strings.Join(all, "")
}

// spans are code, strong text and links, whichever begins first.
var spans = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\[([^\\]]+)\\]\\(((?:https://|/|#)[^\\s()]*)\\)")

// inline renders a line. All text passes the escaper; the addresses of links are quoted too.
func inline(text string) string {
	var b strings.Builder
	rest := text
	for {
		at := spans.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		part := func(n int) string { return template.HTMLEscapeString(rest[at[2*n]:at[2*n+1]]) }
		b.WriteString(template.HTMLEscapeString(rest[:at[0]]))
		switch {
		case at[2] >= 0:
			b.WriteString("<code>" + part(1) + "</code>")
		case at[4] >= 0:
			b.WriteString("<strong>" + part(2) + "</strong>")
		default:
			b.WriteString(`<a href="` + part(4) + `" rel="noopener noreferrer">` + part(3) + "</a>")
		}
		rest = rest[at[1]:]
	}
	b.WriteString(template.HTMLEscapeString(rest))
	return b.String()
}
