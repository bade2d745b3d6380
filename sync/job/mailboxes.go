package job

// Mailboxes returns the names of all mailboxes that the preflight met on both sides, and those that they become; nil before a sign-in.
func (j *Job) Mailboxes() []string {
	var names []string
	for i := range j.sides {
		if j.sides[i].listing == nil {
			continue
		}
		for _, m := range j.sides[i].listing.Mailboxes {
			names = append(names, m.Name)
		}
	}
	for _, p := range j.pairings {
		names = append(names, p.Dest)
	}
	return names
}
