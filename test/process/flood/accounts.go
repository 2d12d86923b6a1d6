package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

const (
	password         = "seven ponies on a long trip" // of every account
	registerPatience = time.Minute                   // for all accounts of a scenario together
	registerClients  = 4                             // that register in parallel
)

// account is an account, with the client address from which it was registered.
type account struct {
	email string
	home  netip.Addr
}

func (p account) login() login { return login{p.home, p.email, password} }

func (f *flood) newAccount(role string, n int) account {
	return account{fmt.Sprintf("%s-%s-%d@example.com", role, f.tag, n), f.addresses.next()}
}

// register makes the account of p, and waits as long as the server asks for
// it. The client c can be used for the answer afterwards.
func (f *flood) register(ctx context.Context, c *client, p account) error {
	for {
		c.setPost("/auth/users/register", p.email, password)
		status, err := c.send(ctx)
		if err != nil {
			return err
		}
		switch judge(status, c.answer.Body()) {
		case accepted:
			return nil
		case limited, unavailable:
		default:
			return fmt.Errorf("registration was answered %d", status)
		}
		if !waitUntil(ctx, time.Now().Add(c.retryAfter()), nil) {
			return ctx.Err()
		}
	}
}

func (f *flood) registerOne(ctx context.Context, role string) (account, error) {
	p := f.newAccount(role, 0)
	c := client{server: f.target, from: p.home}
	defer c.close()
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	return p, f.register(ctx, &c, p)
}

// registerProbe makes the account whose access token the probes carry.
func (f *flood) registerProbe(ctx context.Context) error {
	p := f.newAccount("probe", 0)
	c := client{server: f.target, from: p.home}
	defer c.close()
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	if err := f.register(ctx, &c, p); err != nil {
		return fmt.Errorf("register the account of the probes: %w", err)
	}
	token, err := accessToken(c.answer.Body())
	f.token = token
	return err
}

// registerAccounts makes the accounts for storm and busy. If there is not enough time,
// it makes fewer, and several sign-ins share an account.
func (f *flood) registerAccounts(ctx context.Context) error {
	if len(f.registered) > 0 {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	numbers := make(chan int, f.accounts)
	for n := range f.accounts {
		numbers <- n
	}
	close(numbers)
	var mu sync.Mutex
	var clients sync.WaitGroup
	var last error
	for range registerClients {
		clients.Go(func() {
			for n := range numbers {
				p := f.newAccount("account", n)
				c := client{server: f.target, from: p.home}
				err := f.register(within, &c, p)
				c.close()
				mu.Lock()
				if err == nil {
					f.registered = append(f.registered, p)
				} else {
					last = err
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if len(f.registered) == 0 {
		return fmt.Errorf("no account could be made: %w", last)
	}
	return ctx.Err()
}
