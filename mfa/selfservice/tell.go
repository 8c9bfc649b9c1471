package selfservice

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// change is what a message about an address says.
type change struct {
	template string
	about    storage.Identifier
	new      storage.Identifier // of AddressChanged
}

// tell adds the messages about a change: one with the link that undoes it, and one without it to
// every other proven e-mail address of the account as it was, and to the address that was changed
// or removed.
func (a *Accounts) tell(caller mfa.Caller, account storage.Account, what change, c *storage.UserChange) error {
	proven := a.reachable(account)
	if len(proven) == 0 {
		return nil
	}
	holder := a.linkHolder(proven, what)
	t, err := a.undo(account, what.about.ID, c.Now)
	if err != nil {
		return err
	}
	c.Issue = append(c.Issue, t)
	data := map[string]string{"address": what.about.Text()}
	if what.template == notice.AddressChanged {
		data["new"] = what.new.Text()
	}
	for _, i := range proven {
		own := maps.Clone(data)
		switch {
		case i.ID == holder.ID:
			own["undo"], own["until"] = t.Link, t.ExpiresAt.UTC().Format(time.RFC3339)
		case i.Kind != storage.Email && i.ID != what.about.ID:
			continue
		}
		c.Messages = append(c.Messages, notice.To(a.now(), a.random, a.o.Product, caller, &account, i, what.template, own))
	}
	return nil
}

// reachable returns the proven addresses of an account that messages are sent to, the one that was
// proven first before others, and e-mail before numbers.
func (a *Accounts) reachable(account storage.Account) []storage.Identifier {
	list := slices.DeleteFunc(a.current(account), func(i storage.Identifier) bool { return !isProven(i) || a.verifier.MethodFor(i.Kind) == "" })
	slices.SortStableFunc(list, func(x, y storage.Identifier) int {
		return cmp.Or(x.VerifiedAt.Compare(y.VerifiedAt), strings.Compare(string(x.Kind), string(y.Kind)))
	})
	return list
}

// linkHolder returns which of the proven addresses gets the link that undoes a change: the address
// that was changed or removed if it was proven before what can be undone, or before all others, else
// the one that was proven first. Whoever adds an address to a foreign account would otherwise get it
// back by the link, after its owner has removed it.
func (a *Accounts) linkHolder(proven []storage.Identifier, what change) storage.Identifier {
	for _, i := range proven {
		old := !i.VerifiedAt.After(a.now().Add(-a.o.Undo)) || !proven[0].VerifiedAt.Before(i.VerifiedAt)
		if i.ID == what.about.ID && what.template != notice.AddressAdded && old {
			return i
		}
	}
	return proven[0]
}
