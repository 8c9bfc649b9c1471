package mfa

import "strings"

// Agent is a browser and its operating system; "": unknown.
type Agent struct{ Browser, System string }

// ReadAgent reads a User-Agent header, for users to recognise their devices. Nothing depends
// on it: any caller can send any header.
func ReadAgent(header string) Agent {
	return Agent{
		Browser: firstName(header, "Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS", "Firefox", "SamsungBrowser", "Samsung Internet",
			"CriOS", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari"),
		System: firstName(header, "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS",
			"CrOS", "ChromeOS", "Linux", "Linux"),
	}
}

// firstName returns the name of the first mark that a text contains; marks and names alternate.
func firstName(text string, marks ...string) string {
	for i := 0; i < len(marks); i += 2 {
		if strings.Contains(text, marks[i]) {
			return marks[i+1]
		}
	}
	return ""
}
