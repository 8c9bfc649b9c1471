// Package fetch reads documents at addresses that others chose: key sets and request objects of
// clients. Such an address must not lead into the operator's own network (OWASP, server-side request
// forgery), so a Fetcher speaks https only, checks the address that it connects to rather than the
// name, follows no redirect, and bounds time, size and number of its calls.
//
// Documents are kept in memory for as long as their server and the caller allow, and callers who
// need the same one at the same time share one call.
package fetch
