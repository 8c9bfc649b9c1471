package page

import "strings"

// Mailbox is where people read their mail in a browser.
type Mailbox struct{ Name, URL string }

var (
	gmail   = Mailbox{"Gmail", "https://mail.google.com/mail/"}
	outlook = Mailbox{"Outlook", "https://outlook.live.com/mail/"}
	proton  = Mailbox{"Proton Mail", "https://mail.proton.me/"}
	icloud  = Mailbox{"iCloud Mail", "https://www.icloud.com/mail/"}
	gmx     = Mailbox{"GMX", "https://www.gmx.net/"}
)

// mailboxes are those of domains whose addresses are read at one place only.
var mailboxes = map[string]Mailbox{
	"gmail.com": gmail, "googlemail.com": gmail,
	"outlook.com": outlook, "outlook.de": outlook, "hotmail.com": outlook, "hotmail.de": outlook, "live.com": outlook, "msn.com": outlook,
	"proton.me": proton, "protonmail.com": proton, "pm.me": proton,
	"icloud.com": icloud, "me.com": icloud, "mac.com": icloud,
	"gmx.de": gmx, "gmx.net": gmx, "gmx.at": gmx, "gmx.ch": gmx,
	"web.de":    {"WEB.DE", "https://web.de/"},
	"yahoo.com": {"Yahoo Mail", "https://mail.yahoo.com/"}, "yahoo.de": {"Yahoo Mail", "https://mail.yahoo.com/"},
}

// MailboxOf returns the mailbox of an address; nil: it is none, or of a domain that is not known. It
// depends on what was typed alone, and tells nothing of accounts.
func MailboxOf(typed string) *Mailbox {
	_, domain, found := strings.Cut(strings.TrimSpace(typed), "@")
	m, known := mailboxes[strings.ToLower(domain)]
	if !found || !known {
		return nil
	}
	return &m
}
