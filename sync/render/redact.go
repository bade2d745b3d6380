package render

import (
	"github.com/imapilot-project/imapilot/probe/render/redact"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// RedactPlan returns a copy of p with its names masked.
func RedactPlan(p *mailsync.Plan, m *redact.Masks) *mailsync.Plan {
	c := *p
	c.Folders = make([]mailsync.FolderPlan, len(p.Folders))
	for i, f := range p.Folders {
		f.Source, f.Dest = m.Folder(f.Source), m.Folder(f.Dest)
		c.Folders[i] = f
	}
	for i := range c.Folders { // when all names are known
		c.Folders[i].Why = m.Text(c.Folders[i].Why)
	}
	return &c
}

// RedactSummary returns a copy of s with its names masked.
func RedactSummary(s *mailsync.Summary, m *redact.Masks) *mailsync.Summary {
	c := *s
	c.Failures = make([]mailsync.Failure, len(s.Failures))
	for i, f := range s.Failures {
		c.Failures[i] = redactFailure(f, m)
	}
	return &c
}

func redactFailure(f mailsync.Failure, m *redact.Masks) mailsync.Failure {
	f.Folder, f.MessageID, f.ServerText = m.Folder(f.Folder), m.Message(f.MessageID), m.Server(f.ServerText)
	return f
}

// RedactVerification returns a copy of v with its names masked.
func RedactVerification(v *mailsync.Verification, m *redact.Masks) *mailsync.Verification {
	c := *v
	c.Folders = make([]mailsync.FolderVerify, len(v.Folders))
	for i, f := range v.Folders {
		if f.Source != nil {
			source := m.Folder(*f.Source)
			f.Source = &source
		}
		f.Dest = m.Folder(f.Dest)
		for _, list := range []*[]mailsync.MessageRef{&f.Missing, &f.Extra, &f.FlagsDiffer, &f.DatesDiffer, &f.BodiesDiffer} {
			*list = redactMessages(*list, m)
		}
		c.Folders[i] = f
	}
	return &c
}

func redactMessages(list []mailsync.MessageRef, m *redact.Masks) []mailsync.MessageRef {
	masked := make([]mailsync.MessageRef, len(list))
	for i, message := range list {
		message.MessageID = m.Message(message.MessageID)
		masked[i] = message
	}
	return masked
}

// RedactEvent returns e with its names masked. Data of a kind that is not known here are left out.
func RedactEvent(e mailsync.Event, m *redact.Masks) mailsync.Event {
	switch d := e.Data.(type) {
	case mailsync.RunStart:
		e.Data = mailsync.RunStart{Source: m.Endpoint(d.Source), Dest: m.Endpoint(d.Dest)}
	case mailsync.Endpoint:
		d.Host = m.Host(d.Host)
		e.Data = d
	case mailsync.FolderStart:
		d.Source, d.Dest = m.Folder(d.Source), m.Folder(d.Dest)
		e.Data = d
	case mailsync.FolderEnd:
		d.Source, d.Dest = m.Folder(d.Source), m.Folder(d.Dest)
		e.Data = d
	case mailsync.Failure:
		e.Data = redactFailure(d, m)
	case mailsync.Throttled:
		d.ServerText = m.Server(d.ServerText)
		e.Data = d
	case mailsync.Reconnected:
		d.Reason = m.Text(d.Reason)
		e.Data = d
	case mailsync.ProgressEvent:
	case *mailsync.Summary:
		e.Data = RedactSummary(d, m)
	default:
		e.Data = nil
	}
	return e
}
