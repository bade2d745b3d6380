package job

import mailsync "github.com/imapilot-project/imapilot/sync"

// An amount is a number of messages and their octets.
type amount struct {
	folders  int
	messages int64
	octets   int64
	exact    bool // octets are as the server told, not estimated
}

// surely is how many octets there are without doubt: an estimate from samples may be a quarter too high.
func (a amount) surely() int64 {
	if a.exact {
		return a.octets
	}
	return a.octets / 4 * 3
}

// extent counts what is at the source and in the job's scope.
func (j *Job) extent() amount {
	all := amount{exact: true}
	for _, p := range j.pairings {
		m := j.holds(&p.Source)
		all.folders++
		all.messages += m.messages
		all.octets += m.octets
		all.exact = all.exact && m.exact
	}
	return all
}

// holds is what a source mailbox holds. Octets that the server does not tell are those that a look at some of its messages suggests.
func (j *Job) holds(m *mailsync.Mailbox) amount {
	if m.Status == nil {
		return amount{}
	}
	a := amount{messages: int64(m.Status.Messages), octets: m.Status.Size, exact: true}
	if a.octets < 0 {
		a.octets, a.exact = j.seen.estimated(m), m.Status.Messages == 0
	}
	a.octets = min(a.octets, maxOctets/1024) // a server may tell anything
	return a
}

// missing is what is to be added at the destination, at least: for each mailbox there, what its sources have more than it. Messages that are on
// both sides cannot be told from others before both are read, which takes too long here.
func (j *Job) missing() amount {
	there := map[string]*mailsync.MailboxStatus{}
	for i := range j.sides[1].listing.Mailboxes {
		m := &j.sides[1].listing.Mailboxes[i]
		there[m.Name] = m.Status
	}
	sources := map[string]*amount{}
	var order []string
	for _, p := range j.pairings {
		m := j.holds(&p.Source)
		sum := sources[p.Dest]
		if sum == nil {
			sum = &amount{exact: true}
			sources[p.Dest] = sum
			order = append(order, p.Dest)
		}
		sum.messages += m.messages
		sum.octets += m.octets
		sum.exact = sum.exact && m.exact
	}
	total := amount{folders: len(order), exact: true}
	for _, name := range order {
		more := lessOf(*sources[name], there[name])
		total.messages += more.messages
		total.octets += more.octets
		total.exact = total.exact && more.exact
	}
	return total
}

// lessOf is a without what is there already.
func lessOf(a amount, there *mailsync.MailboxStatus) amount {
	if there == nil || there.Messages == 0 {
		return a
	}
	had := a
	a.messages = max(a.messages-int64(there.Messages), 0)
	if there.Size >= 0 {
		a.octets = max(a.octets-there.Size, 0)
		return a
	}
	// As many messages as are missing have about their share of the octets.
	a.exact = false
	if had.messages > 0 {
		a.octets = int64(float64(had.octets) * float64(a.messages) / float64(had.messages))
	}
	return a
}
