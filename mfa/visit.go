package mfa

// Visit is who is calling and from where: read once by the surface, needed for
// binding, throttling and the audit trail.
type Visit struct {
	Browser       string // value of the binding cookie; "": none
	Device        string // value of the device cookie; "": none
	Origin        string // Origin header; "": none
	Address       string // client address, forwarded headers already resolved
	UserAgent     string
	CorrelationID string
	Locale        string // best language of ours for the caller: "en", "de"
	Actor         string // who acts when it is not the user: "admin", "client", "system"
}
