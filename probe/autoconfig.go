package probe

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// Bounds of the search for a configuration file.
const (
	autoconfigTimeout = 3 * time.Second
	maxAutoconfig     = 256 << 10
	maxRedirects      = 3
)

// autoconfigURLs are where a domain may keep the configuration of mail programs, as Thunderbird looks for it. They are asked for with
// the domain alone: whose mailbox it is, is nobody's business.
func autoconfigURLs(domain string) []string {
	return []string{
		"https://autoconfig." + domain + "/mail/config-v1.1.xml",
		"https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	}
}

// autoconfig reads the file at url and returns the IMAP servers in it.
func (t *targetRun) autoconfig(ctx context.Context, domain, url string) ([]proposal, error) {
	ctx, cancel := context.WithTimeout(ctx, autoconfigTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	transport := t.prober.HTTP
	if transport == nil {
		own := &http.Transport{DialContext: t.dialByName, TLSClientConfig: &tls.Config{RootCAs: t.target.roots()}, MaxResponseHeaderBytes: 64 << 10}
		defer own.CloseIdleConnections()
		transport = own
	}
	client := &http.Client{Transport: transport, CheckRedirect: onlyHTTPS}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the answer was %d", url, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAutoconfig+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if len(body) > maxAutoconfig {
		return nil, fmt.Errorf("%s: more than %d octets", url, maxAutoconfig)
	}
	list, err := parseAutoconfig(body, domain)
	for i := range list {
		list[i].from = url
	}
	return list, err
}

// onlyHTTPS refuses to be led to where anyone on the way could write the answer.
func onlyHTTPS(request *http.Request, via []*http.Request) error {
	if request.URL.Scheme != "https" {
		return errors.New("the answer leads away from https")
	}
	if len(via) > maxRedirects {
		return errors.New("the answer leads on and on")
	}
	return nil
}

// dialByName connects as the probe does: names are looked up where its names are, and connections opened by its dialer.
func (t *targetRun) dialByName(ctx context.Context, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addresses := t.addressesOf(ctx, host).all()
	err = fmt.Errorf("%s was not found", host)
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		var conn net.Conn
		if conn, err = t.unwatched()(ctx, network, netip.AddrPortFrom(a, uint16(port)).String()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// clientConfig is what is of use here of the format config-v1.1.xml.
type clientConfig struct {
	Incoming []struct {
		Type       string `xml:"type,attr"`
		Hostname   string `xml:"hostname"`
		Port       uint16 `xml:"port"`
		SocketType string `xml:"socketType"`
		Username   string `xml:"username"`
	} `xml:"emailProvider>incomingServer"`
}

// parseAutoconfig returns the IMAP servers of a configuration file in its order. Entries that cannot be used are passed over.
func parseAutoconfig(body []byte, domain string) ([]proposal, error) {
	var config clientConfig
	if err := xml.Unmarshal(body, &config); err != nil {
		return nil, err
	}
	var list []proposal
	for _, in := range config.Incoming {
		security, known := map[string]imapdial.Security{
			"SSL": imapdial.TLS, "STARTTLS": imapdial.STARTTLS, "PLAIN": imapdial.Cleartext}[strings.ToUpper(strings.TrimSpace(in.SocketType))]
		host, err := canonicalHost(strings.ReplaceAll(strings.TrimSpace(in.Hostname), "%EMAILDOMAIN%", domain))
		if !strings.EqualFold(in.Type, "imap") || !known || err != nil || in.Port == 0 || len(list) == maxProposals {
			continue
		}
		list = append(list, proposal{source: "autoconfig", host: host, port: in.Port, security: security, user: strings.TrimSpace(in.Username)})
	}
	return list, nil
}
