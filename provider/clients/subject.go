package clients

import (
	"net/url"

	"sallyport/input"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// Pairwise is the subject type of clients whose users have other subjects in other sectors.
const Pairwise = "pairwise"

// sectorOf returns the sector of a pairwise client (OpenID Connect Core section 8.1), or why it has none.
// Clients of one sector see the same subjects, so a host that many applications share is no sector:
// a loopback address, or the lack of a host in a private-use scheme. A client that registered itself is a
// sector of its own: its redirect URIs prove nothing, and a stranger who named the host of another client
// would see its subjects.
func sectorOf(c storage.Client) (sector, fault string) {
	if c.SubjectType != Pairwise {
		return "", ""
	}
	if c.Registration != nil {
		return "client " + string(c.ID), "" // no host has this form
	}
	if c.SectorIdentifierURI != "" {
		return hostOf(c.SectorIdentifierURI), ""
	}
	for i, uri := range c.RedirectURIs {
		host := hostOf(uri)
		switch {
		case host == "" || input.Loopback(host):
			return "", "is required with subject_type pairwise, as a redirect URI has no host of its own"
		case i > 0 && host != sector:
			return "", "is required with subject_type pairwise, as the redirect URIs have several hosts"
		}
		sector = host
	}
	if sector == "" {
		return "", "is required with subject_type pairwise, as there are no redirect URIs"
	}
	return sector, ""
}

// hostOf returns the host of an http or https URL in one spelling, without the port; "": none.
func hostOf(uri string) string {
	u, err := url.Parse(origin.Of(uri))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// SectorOf returns the sector of a client's subjects; "" for public ones.
func SectorOf(c storage.Client) string {
	sector, _ := sectorOf(c)
	return sector
}

// checkSubjects checks what decides on the subjects of users.
func (k *checker) checkSubjects() {
	k.oneOf("subject_type", k.SubjectType, "", "public", Pairwise)
	k.fault(k.SectorIdentifierURI != "" && (!fetched(k.SectorIdentifierURI) || hostOf(k.SectorIdentifierURI) == ""),
		"sector_identifier_uri", "must be an https address of at most 2048 characters, without user and fragment")
	_, fault := sectorOf(k.Client.Client)
	k.fault(fault != "", "sector_identifier_uri", fault)
	k.fault(k.SubjectType == Pairwise && k.ManagesFactors, "subject_type", "pairwise excludes manages_factors: those calls name a user by the public subject")
}
