package fiberjwt

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// Grant says how a sign-in by [Login] or [Auth.Issue] differs from what Config
// and Entity say. All but AuthTime and DB holds for its access token alone: a refresh
// gives one by the Entity again, and Cookie.Sliding leaves it to expire. The
// zero value changes nothing.
type Grant struct {
	// Transport is how the tokens go out. Default: the first of
	// Config.Transport. Issue has no response and knows TransportBody only.
	Transport Transport
	// TTL is the life of the access token, 1 s to 24 h. Default Entity.AccessTTL.
	TTL time.Duration
	// NotBefore is when the access token begins to be good (claim nbf), before
	// TTL is over, which counts from now. Default: at once.
	NotBefore time.Time
	// Audience takes the place of Config.Audience, for a token that another
	// service is to accept.
	Audience []string
	// Claims join those of Entity.Claims, and win over them.
	Claims map[string]any
	// AuthTime is when the person proved who it is, see [Fresh]. It stays with
	// the session. Default: now, or where Login exchanges a token that has no
	// session here, of the same account, what that one says: 1970 if it says nothing.
	AuthTime time.Time
	// DB is the open transaction that has stored the account. The session is then
	// stored in it too, and its tokens are good once it has committed; if it is
	// rolled back, they are void. Entity.Allow is asked before. Commit within a
	// minute: with Config.CacheTTL, a session that this sign-in replaces may go on
	// in other processes if it takes longer. Sessions in another store, by
	// Config.Sessions, cannot be part of a transaction: that is ErrSetup. Default:
	// Config.DB, where an account whose transaction is open is not seen.
	DB bun.IDB
}

// opening is what a session begins with by the grant.
func (g Grant) opening(address, agent string) auth.Opening {
	return auth.Opening{TTL: g.TTL, Shape: g.shape(), AuthTime: g.AuthTime, DB: g.DB, Address: address, Agent: agent}
}

// Issue starts a session for account, a *T of one of Config.Entities, outside a
// request: for a job, a command line, a device. It must be a stored row; whoever
// calls it must know who it is. The errors are those of [Login].
func (a *Auth) Issue(ctx context.Context, account any, grant ...Grant) (Tokens, error) {
	k, g := a.kindOf(account), only(grant)
	var problem string
	switch {
	case k == nil:
		problem = fmt.Sprintf("Issue: a %T is nil or no pointer to a model in Config.Entities", account)
	case g.Transport != "" && g.Transport != TransportBody:
		problem = fmt.Sprintf("Issue: there is no response for the transport %q", g.Transport)
	default:
		problem = g.problem(a.now())
	}
	if problem != "" {
		return Tokens{}, face(fault.Setup(problem))
	}
	p, err := a.service.Start(ctx, k.Kind, account, g.opening("", ""))
	if err != nil {
		return Tokens{}, face(err)
	}
	a.deliverIn(ctx, eventOf(p, EventLogin, k))
	return tokensOf(p), nil
}

// kindOf an account, nil if it is none.
func (a *Auth) kindOf(account any) *kind {
	v := reflect.ValueOf(account)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	return a.kind(a.models[v.Type().Elem()])
}

// special: the access token is another than a refresh gives.
func (g Grant) special() bool {
	return g.TTL != 0 || !g.NotBefore.IsZero() || len(g.Audience) > 0 || len(g.Claims) > 0
}

// shape is how its access token differs.
func (g Grant) shape() token.Shape {
	return token.Shape{NotBefore: g.NotBefore, Audience: g.Audience, Claims: g.Claims, Shaped: g.special()}
}

func only(grant []Grant) Grant {
	if len(grant) == 0 {
		return Grant{}
	}
	return grant[0]
}

// proved is the AuthTime that a Login has by default. A caller that exchanges a token
// of OldTokens, of Issuers or a ticket has proved nothing now.
func (r *request) proved(k *kind, account any) (when time.Time) {
	s := r.session(k.Name)
	if s == nil || s.sid != nil && s.Source != SourceTicket {
		return when
	}
	if subject, err := k.Subject(account); err != nil || subject != s.Subject {
		return when
	}
	if now := r.auth.now(); s.AuthTime.After(now) { // the clock of another issuer
		return now
	}
	return cmp.Or(s.AuthTime, time.Unix(0, 0))
}

// problem says what is wrong with the grant at a time, "" if nothing is.
func (g Grant) problem(now time.Time) string {
	switch {
	case g.TTL != 0 && (g.TTL < time.Second || g.TTL > token.MaxLife):
		return fmt.Sprintf("Grant.TTL: %v is not between 1 s and 24 h", g.TTL)
	case slices.Contains(g.Audience, ""):
		return "Grant.Audience has an empty name"
	case !g.AuthTime.Before(now.Add(token.ClockSkew)): // less may come from another server
		return "Grant.AuthTime is in the future"
	case !g.NotBefore.IsZero() && g.NotBefore.Unix() < 0:
		return "Grant.NotBefore is before 1970"
	}
	return ""
}
