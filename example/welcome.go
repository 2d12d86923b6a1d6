package main

import (
	"net"
	"strings"
)

// walk shows the API in commands for a POSIX shell. welcome replaces BASE, so each line can be pasted into a shell.
const walk = `
fiberjwt example, listening on BASE (open it in a browser)

Or paste these lines into a shell, in this order:

  curl -sS -H 'Content-Type: application/json' -d '{"email":"ada@example.com","full_name":"Ada Lovelace","password":"note-g-of-1843"}' BASE/auth/users/register; echo
  TOKENS=$(curl -sS -H 'Content-Type: application/json' -d '{"email":"ada@example.com","password":"note-g-of-1843"}' BASE/auth/users/login); echo "$TOKENS"
  ACCESS=$(printf '%s' "$TOKENS" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  REFRESH=$(printf '%s' "$TOKENS" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')
  curl -sS -H "Authorization: Bearer $ACCESS" BASE/api/me; echo
  curl -sS -i -H "Authorization: Bearer $ACCESS" BASE/api/teachers/me; echo
  curl -sS -H 'Content-Type: application/json' -d "{\"refresh_token\":\"$REFRESH\"}" BASE/auth/users/refresh; echo
  curl -sS -i -X POST -H "Authorization: Bearer $ACCESS" BASE/auth/users/logout
  curl -sS -i -H "Authorization: Bearer $ACCESS" BASE/api/me; echo

`

// welcome returns a text with the address of the server and commands to try it.
func welcome(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "listening on " + addr.String() + "\n" // unreachable: TCP addresses have a port
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost" // the server listens on all addresses; this one works on the same machine
	}
	return strings.ReplaceAll(walk, "BASE", "http://"+net.JoinHostPort(host, port))
}
