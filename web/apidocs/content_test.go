package apidocs_test

import (
	"html"
	"strings"
	"testing"

	"sallyport/web/apidocs"
)

const invented = `openapi: 3.1.0
info:
  title: <b>Invented</b>
  version: 1.0.0
  description: |
    One ` + "`a < b`" + ` and **two**,
    see [the text](https://example.com/?a=1&b="2") or [this](javascript:alert(1)). <script>alert(2)</script>

    Entries:
    - first
      goes on
    - second

    1. step

    ` + "```" + `
    if a < b {

      go
    ` + "```" + `
servers: [{url: "https://api.example/base/", description: Live}]
security: [{key: []}, {basic: []}]
tags: [{name: things, description: All things.}]
paths:
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}, description: Which one.}]
    put:
      tags: [things]
      operationId: putThing
      summary: Put a thing
      deprecated: true
      parameters:
        - {name: q, in: query, required: true, schema: {type: string}, example: "it's & more"}
        - {name: X-Trace, in: header, schema: {type: integer, exclusiveMinimum: 5}}
      requestBody:
        content:
          application/json:
            schema:
              allOf:
                - $ref: "#/components/schemas/Base"
                - {type: object, required: [kind], additionalProperties: false, properties: {kind: {enum: [a, b]}, more: {$ref: "#/components/schemas/Base", description: Another one.}}}
      responses:
        "200":
          description: Done
          headers: {X-Count: {schema: {type: integer}, description: How many.}}
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Base"}}}}
        "400": {$ref: "#/components/responses/Bad"}
        "404": {$ref: "#/components/responses/Bad"}
  /open:
    get:
      security: []
      summary: Open
      responses: {default: {description: Whatever}}
    post:
      operationId: form
      requestBody:
        required: true
        content: {application/x-www-form-urlencoded: {schema: {type: object, required: [a, b], properties: {a: {type: string, example: "x y"}, b: {type: integer, minimum: 3}, c: {type: string}}}}}
      responses: {"204": {description: Done}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    basic: {type: http, scheme: basic}
  responses:
    Bad: {description: Refused, content: {application/json: {schema: {type: object, properties: {why: {type: string, const: bad}}}}}}
  schemas:
    Base:
      type: object
      properties:
        name: {type: [string, "null"], minLength: 2, maxLength: 9, default: "none"}
        size: {oneOf: [{type: string, format: date}, {type: integer, maximum: 7}]}
        either: {oneOf: [{type: object, properties: {left: {type: string}}}, {$ref: "#/components/schemas/Texts"}]}
        labels: {type: object, additionalProperties: {type: string, pattern: "^[a-c]{3}-x$"}}
        next: {$ref: "#/components/schemas/Base"}
        list: {type: array, minItems: 1, uniqueItems: true, items: {type: object, properties: {deep: {type: boolean, example: false}}}}
        codes: {type: array, minItems: 3, uniqueItems: true, items: {type: string, pattern: "^[a-c]x$"}}
        pair: {type: object, required: [ghost]}
        choice: {anyOf: [{$ref: "#/components/schemas/Base"}, {type: "null"}]}
    Texts: {type: array, maxItems: 4, items: {type: string, maxLength: 5}}
`

func TestContentOfAPage(t *testing.T) {
	h := newSite(t, apidocs.Description{Name: "invented", Text: []byte(invented)})
	page := h.text("/docs/api/invented")
	for _, want := range []string{
		"<h1>&lt;b&gt;Invented&lt;/b&gt;</h1>",
		"<p>One <code>a &lt; b</code> and <strong>two</strong>, see <a href=\"https://example.com/?a=1&amp;b=&#34;2&#34;\" rel=\"noopener noreferrer\">the text</a> or [this](javascript:alert(1)). &lt;script&gt;alert(2)&lt;/script&gt;</p>",
		"<p>Entries:</p><ul><li>first goes on</li><li>second</li></ul><ol><li>step</li></ol>",
		"<code>if a &lt; b {\n\n  go</code></pre>",
		"<code>https://api.example/base</code><p>Live</p>",
		`<dt id="scheme-key">Authentication <code>key</code></dt><dd><code>header X-Key</code>`,
		`<h2 id="calls-things">things</h2>`, "<p>All things.</p>", `<span class="tag bad">deprecated</span>`,
		`<a href="#scheme-key">key</a>, or <a href="#scheme-basic">basic</a>`,
		`<span class="tag">400</span> <span class="tag">404</span>`,
		`list of <a href="#record-Base">Base</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	all := parts(t, page)
	for id, wants := range map[string][]string{
		"putThing": {"application/json: object; no other members", "idpathstring, requiredWhich one.", "X-Trace header\ninteger" + "more than 5", "kind\nany value, requiredone of a, b", "more\nBase" + "Another one.",
			"curl -X PUT 'https://api.example/base/things/ID?q=it%27s+%26+more' \\\n  -H 'X-Key: KEY' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\n  \"kind\": \"a\"\n}'", "X-Count\nintegerHow many."},
		"GET-open": {"curl 'https://api.example/base/open'"},
		"form":     {"-d 'a=x+y&b=3'"},
		"record-Base": {"name\nstring or nullat least 2 characters; at most 9 characters; default \"none\"", "size\nstring or integerstring: format date; integer: at most 7", "either\nobject or list of string", "either.left\nstring",
			"labels.*\nstringmatches ^[a-c]{3}-x$Every other member.", "next\nBase", "list\nlist of objectat least 1 entries; no two entries are equal", "list[].deep\nboolean", "choice\nBase or null", "pair.ghost\nany value, required", "\"ghost\": \"text\"",
			"\"codes\": [\n    \"ax\",\n    \"cx\",\n    \"bx\"\n  ]",
			"\"labels\": {\n    \"name\": \"a", "\"list\": [\n    {\n      \"deep\": false\n    }\n  ]"},
	} {
		if all[id] == nil {
			t.Errorf("there is no section %s", id)
			continue
		}
		text := strings.Join(strings.Fields(all[id].text), "")
		for _, want := range wants {
			if !strings.Contains(text, strings.Join(strings.Fields(want), "")) {
				t.Errorf("%s lacks %q:\n%s", id, want, all[id].text)
			}
		}
	}
	if strings.Contains(html.UnescapeString(all["GET-open"].text), "Authentication") {
		t.Error("a call without authentication names one")
	}
}

func TestFaultyDescriptionsAreRefused(t *testing.T) {
	with := func(old, text string) string { return strings.Replace(invented, old, text, 1) }
	for want, text := range map[string]string{
		"read YAML":            "openapi: [",
		"not a map":            "- openapi",
		"there is no title":    with("title: <b>Invented</b>", "summary: x"),
		`the version "2.0" is`: with("3.1.0", `"2.0"`),
		"there are no calls":   "openapi: 3.0.3\ninfo: {title: x}\npaths: {}\n",
		"there is no #/components/schemas/Absent": with(`oneOf: [{type: string, format: date}`, `oneOf: [{$ref: "#/components/schemas/Absent"}`),
		"consists of itself":                      with(`Texts: {type: array, maxItems: 4, items: {type: string, maxLength: 5}}`, `Texts: {$ref: "#/components/schemas/Texts"}`),
		"[][][]: consists of itself":              with(`items: {type: string, maxLength: 5}}`, `items: {$ref: "#/components/schemas/Texts"}}`),
		"refers to itself":                        with(`Bad: {description: Refused, content`, `Bad: {$ref: "#/components/responses/Bad", content`),
		"cannot show the keyword patternx":        with(`pattern: "^[a-c]{3}-x$"`, `patternx: 1`),
		`cannot show the type "magic"`:            with("type: http", "type: magic"),
		"there is no security scheme other":       with("security: [{key: []}, {basic", "security: [{other: []}, {basic"),
		"there are no responses":                  with(`responses: {default: {description: Whatever}}`, `responses: {}`),
		"a parameter needs name and in":           with("{name: q, in: query,", "{name: q,"),
		"must be a list":                          with("oneOf: [{type: string, format: date}, {type: integer, maximum: 7}]", "oneOf: {type: string}"),
		"must be a map":                           with(`properties: {kind: {enum: [a, b]}`, `properties: {kind: text`),
	} {
		err := apidocs.New(nil, issuer, apidocs.Description{Name: "x", Text: []byte(text)}).Check()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "description of x") {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}
