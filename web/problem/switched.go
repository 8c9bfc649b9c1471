package problem

import "sallyport/storage"

// switchedOff are the parts that a server has only with a setting, by the kind of address that
// they send to.
var switchedOff = map[storage.IdentifierKind]string{
	storage.Email: "E-mails are switched off on this server. Operators turn them on with the setting mail.host, or with hook.url and mail in hook.kinds.",
	storage.Phone: "Text messages are switched off on this server. Operators turn them on with the settings sms.countries, hook.url and sms in hook.kinds.",
}

// SwitchedOff returns what is switched off where a server sends no messages to a kind of address,
// and which setting turns it on.
func SwitchedOff(kind storage.IdentifierKind) string { return switchedOff[kind] }
