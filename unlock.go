package fiberjwt

import (
	"cmp"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

const maxUnlockTTL = 24 * time.Hour

// UnlockToken makes a token for the link in a mail to the owner of account, a
// stored row that was loaded whole, who has to wait because others have guessed
// at the password. Browsers and networks that have signed in to the account
// before are not affected by guesses from other networks; all other places share
// what is allowed for the account, and when that is used up they need a link.
//
// The page that the link opens asks for the password as always and sends the
// token along, as the member "unlock_token" of POST /{kind}/login. The token is
// not a credential: it gives this sign-in a counter of failures of its own. It may
// be used until it expires, for as many tries as that counter allows.
//
// ttl is at most 24 hours; 0 means 30 minutes. Nothing is stored, and no query is
// made. Look the account up by what the person typed, and answer the same, after
// the same time, whether there is one. The error is ErrSetup.
func UnlockToken[T any](a *Auth, account *T, ttl time.Duration) (string, error) {
	k, err := kindOf[T](a)
	switch {
	case err != nil:
	case k.Password == nil:
		err = fault.Setupf("UnlockToken: kind %s has no passwords", k.Name)
	case account == nil || ttl < 0 || ttl > maxUnlockTTL:
		err = fault.Setupf("UnlockToken: account is nil, or ttl, %v, is not between 0 and 24 h", ttl)
	}
	if err != nil {
		return "", face(err)
	}
	token, err := a.service.UnlockToken(k.Kind, account, cmp.Or(ttl, 30*time.Minute))
	return token, face(err)
}
