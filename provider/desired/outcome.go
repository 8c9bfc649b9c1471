package desired

import "sallyport/mfa/users"

// Actions of a change.
const (
	Create = "create"
	Change = "change"
	Delete = "delete"
)

// Outcome has the changes of a desired state, in the order they are applied.
type Outcome struct {
	DryRun  bool     `json:"dry_run"` // nothing was changed
	Changes []Record `json:"changes"`
	// LeftAlone has existing records that are not in the state. It names a limited number of
	// users; MoreUsers counts the others.
	LeftAlone []Left `json:"left_alone"`
	MoreUsers int    `json:"more_users_left_alone,omitempty"`
}

// Kinds of records.
const (
	KindClient = "client"
	KindUser   = "user"
	KindAPIKey = "api_key"
)

// Record is the change of one record. ID is set for users and API keys; Name is the ID of a
// client.
type Record struct {
	Kind        string             `json:"kind"`
	Name        string             `json:"name"`
	ID          string             `json:"id,omitempty"`
	Action      string             `json:"action"`
	Differences []users.Difference `json:"differences,omitempty"`
}

// Left is a record that is kept unchanged.
type Left struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Outcome describes a plan.
func (p *Plan) Outcome() Outcome {
	out := Outcome{Changes: []Record{}, LeftAlone: []Left{}, MoreUsers: p.leftUsersMore}
	action := func(isNew bool) string {
		if isNew {
			return Create
		}
		return Change
	}
	for _, c := range p.clients {
		out.Changes = append(out.Changes, Record{Kind: KindClient, Name: string(c.want.ID), Action: action(c.was == nil),
			Differences: c.differences})
	}
	for _, u := range p.users {
		out.Changes = append(out.Changes, Record{Kind: KindUser, Name: u.name, ID: string(u.id), Action: action(u.amendment == nil),
			Differences: u.differences})
	}
	for _, k := range p.keys {
		out.Changes = append(out.Changes, Record{Kind: KindAPIKey, Name: k.draft.Name, ID: string(k.want.ID), Action: action(k.was == nil),
			Differences: k.differences})
	}
	for _, id := range p.pruned {
		out.Changes = append(out.Changes, Record{Kind: KindClient, Name: string(id), Action: Delete})
	}
	for _, k := range p.prunedKeys {
		out.Changes = append(out.Changes, Record{Kind: KindAPIKey, Name: k.Name, ID: string(k.ID), Action: Delete})
	}
	for _, id := range p.leftClients {
		out.LeftAlone = append(out.LeftAlone, Left{Kind: KindClient, Name: string(id)})
	}
	for _, name := range p.leftKeys {
		out.LeftAlone = append(out.LeftAlone, Left{Kind: KindAPIKey, Name: name})
	}
	for _, name := range p.leftUsers {
		out.LeftAlone = append(out.LeftAlone, Left{Kind: KindUser, Name: name})
	}
	return out
}
