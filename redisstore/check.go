package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fiberjwt/fiberjwt/session"
)

var _ session.Checker = (*Store)(nil)

// Check implements [session.Checker]. On each node of a cluster it checks the
// eviction policy, which must not delete sessions, the persistence, which must not
// lose them, and, if clock is true, that the clocks are at most a minute apart.
// Managed servers often forbid CONFIG and INFO; a value that a server does not
// return is not reported as a problem.
func (s *Store) Check(ctx context.Context, clock bool) ([]string, error) {
	look := func(ctx context.Context, node redis.UniversalClient) ([]string, error) {
		return within(ctx, func() ([]string, error) { return faultsOf(ctx, node, clock) })
	}
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return look(ctx, s.client)
	}
	var mu sync.Mutex
	var all []string
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		faults, err := look(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, faults...)
		return err
	})
	slices.Sort(all) // the nodes answer in any order, and usually the same
	return slices.Compact(all), err
}

func faultsOf(ctx context.Context, node redis.UniversalClient, clock bool) (faults []string, err error) {
	for _, look := range []func(context.Context, redis.UniversalClient) (string, error){eviction, persistence} {
		fault, err := look(ctx, node)
		if err != nil {
			return nil, err
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	if clock {
		fault, err := clockOf(ctx, node)
		if err != nil {
			return nil, err
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults, nil
}

func eviction(ctx context.Context, node redis.UniversalClient) (string, error) {
	policy, err := infoOf(ctx, node, "memory", "maxmemory_policy")
	if err != nil || policy == "" || policy == "noeviction" {
		return "", err
	}
	return fmt.Sprintf("maxmemory-policy is %s, so Redis ends sessions when its memory is full: set it to noeviction", policy), nil
}

// persistence: without the append-only file a crash undoes logouts. If CONFIG is
// not allowed, the server is managed, and its operator is responsible, for instance
// by replicas.
func persistence(ctx context.Context, node redis.UniversalClient) (string, error) {
	enabled, err := infoOf(ctx, node, "persistence", "aof_enabled")
	if err != nil || enabled != "0" {
		return "", err
	}
	config, err := node.ConfigGet(ctx, "save").Result()
	if silent(err) || err == nil && len(config) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if config["save"] == "" {
		return "appendonly and save are off, so a restart of Redis ends all sessions: set appendonly to yes", nil
	}
	return "appendonly is off, so a crash of Redis undoes the sign-ins and logouts since its last snapshot: set it to yes", nil
}

const clocksApart = time.Minute

func clockOf(ctx context.Context, node redis.UniversalClient) (string, error) {
	asked := time.Now()
	there, err := node.Time(ctx).Result()
	if silent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if ahead, behind := time.Until(there), asked.Sub(there); max(ahead, behind) > clocksApart {
		return fmt.Sprintf("the clock of Redis is %v off: keep the clocks of all servers together by NTP", max(ahead, behind).Round(time.Second)), nil
	}
	return "", nil
}

// infoOf returns a value of INFO, "" if the server does not return it.
func infoOf(ctx context.Context, node redis.UniversalClient, section, name string) (string, error) {
	info, err := node.Info(ctx, section).Result()
	if silent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}

// silent reports whether err says that the server refuses the command, and not that
// it is in trouble or needs a password.
func silent(err error) bool {
	var said redis.Error
	if !errors.As(err, &said) || errors.Is(err, redis.Nil) {
		return false
	}
	return !slices.ContainsFunc([]string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOAUTH", "WRONGPASS"}, func(trouble string) bool {
		return strings.HasPrefix(said.Error(), trouble)
	})
}
