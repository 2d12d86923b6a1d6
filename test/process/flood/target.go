package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseTarget returns the address and port of an http URL on this machine. It
// resolves no names: "localhost" means 127.0.0.1 and every other name is
// refused, because a name may lead anywhere.
func parseTarget(raw string) (netip.AddrPort, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return netip.AddrPort{}, errors.New("-url: not a URL")
	case u.Scheme != "http":
		return netip.AddrPort{}, errors.New("-url: must begin with http://")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return netip.AddrPort{}, errors.New("-url: must have nothing but a host and a port")
	}
	ip, err := parseLoopback(u.Hostname())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("-url: %w", err)
	}
	port := uint64(80)
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return netip.AddrPort{}, errors.New("-url: the port is not between 1 and 65535")
		}
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

func parseLoopback(host string) (netip.Addr, error) {
	if strings.EqualFold(host, "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" || !ip.Unmap().IsLoopback() {
		return netip.Addr{}, fmt.Errorf("%q is not a loopback address; flood connects to this machine only", host)
	}
	return ip.Unmap(), nil
}

// checkDatabase refuses database servers on other machines, because the load
// on the example is a load on its database too.
func checkDatabase(address string) error {
	_, _, isURL := strings.Cut(address, "://")
	if !isURL || strings.HasPrefix(address, "sqlite://") {
		return nil // the path of a SQLite file
	}
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("-db: not a URL") // the address may contain a password, so err is not repeated
	}
	for name := range u.Query() {
		if strings.HasPrefix(name, "host") || strings.HasPrefix(name, "service") {
			return fmt.Errorf("-db: the parameter %q may name another machine, so it is refused", name)
		}
	}
	if _, err := parseLoopback(u.Hostname()); err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	return nil
}
