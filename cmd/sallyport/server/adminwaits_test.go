package server_test

import (
	"net/url"
	"time"

	"sallyport/storage"
	"sallyport/web/admin"
)

func (c adminWalk) waitWalk() {
	c.Helper()
	a := storage.AddressThrottle{Address: "2001:db8:9::/64", Window: time.Hour, Max: 1}
	if err := c.Server.Store.CountFailure(c.Context(), storage.Attempt{Address: &a, Now: time.Now()}); err != nil {
		c.Fatal(err)
	}
	at := "/waits?address=" + url.QueryEscape(a.Address)
	var list admin.Waits
	c.Call("GET", at, nil).Decode(200, &list)
	if len(list.Waits) != 1 || list.Waits[0].Bucket != "address" || list.Waits[0].Network != a.Address || list.Waits[0].Until == nil {
		c.Errorf("waits = %+v", list)
	}
	c.Call("DELETE", at, nil).Done(200, "1 lifted")
	c.Call("DELETE", at, nil).Done(200, "0 lifted")
	c.Call("GET", at, nil).Decode(200, &list)
	if len(list.Waits) != 0 {
		c.Errorf("after lifting: %+v", list)
	}
	for _, query := range []string{"", "?user=alice", "?address=here", "?name=a%00b", "?name=a@b.example&user=00000000-0000-4000-8000-00000000000c"} {
		c.Call("GET", "/waits"+query, nil).Refused(400, "invalid_request", "")
		c.Call("DELETE", "/waits"+query, nil).Refused(400, "invalid_request", "")
	}
	c.Call("GET", "/waits?user=00000000-0000-4000-8000-0000000000ff", nil).Refused(404, "user_not_found", "")
}
