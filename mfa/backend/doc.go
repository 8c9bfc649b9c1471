// Package backend is what programs with an API key do for their users: create and change
// them, set up authenticators, have codes sent, check responses, and keep sessions. Users,
// factors, counters and sessions are those of every other surface.
package backend
