package sessions

import "errors"

// ErrReplaced means that the refresh token has a successor.
var ErrReplaced = errors.New("the refresh token has a successor")
