package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
)

const (
	smallTable      = 10_000
	largeTable      = 1_000_000
	largeTableQuick = 100_000
)

// growth compares a request and a refresh by the default Config on a large table of
// sessions with those on a small one, and returns the largest ratio. The command growth
// goes further.
func growth(b *bench) (outcome, error) {
	worst, err := b.grownSQLite()
	if err != nil {
		return outcome{}, err
	}
	inPostgres, err := b.grownPostgres()
	if err != nil || inPostgres.skipped != "" {
		return worst, err
	}
	sides := slices.Concat(worst.sides, inPostgres.sides)
	if inPostgres.ratio.Median > worst.ratio.Median {
		worst = inPostgres
	}
	worst.sides = sides
	return worst, nil
}

func (b *bench) large() int {
	if b.quick {
		return largeTableQuick
	}
	return largeTable
}

func (b *bench) grownSQLite() (outcome, error) {
	var pairs [2][]measure.Case // of the small table, of the large one
	for i, size := range []int{smallTable, b.large()} {
		db, err := fixture.NewSQLite(filepath.Join(b.folder, fmt.Sprintf("of %d.db", size)))
		if err != nil {
			return outcome{}, err
		}
		defer func() { _ = db.Close() }()
		if err := fixture.Fill(db, 0, size); err != nil {
			return outcome{}, err
		}
		o, err := newOurs(db, fiberjwt.Config{})
		if err != nil {
			return outcome{}, err
		}
		if pairs[i], err = requestAndRefresh(o, "SQLite", size, nil); err != nil {
			return outcome{}, err
		}
	}
	return b.compareSizes(pairs)
}

func (b *bench) grownPostgres() (outcome, error) {
	sizes := []int{smallTable, b.large()}
	return onPostgres(sizes[1], func(large postgres) (outcome, error) {
		return onPostgres(sizes[0], func(small postgres) (outcome, error) {
			var pairs [2][]measure.Case
			for i, p := range []postgres{small, large} {
				var err error
				if pairs[i], err = requestAndRefresh(p.ours, "PostgreSQL", sizes[i], p.clientAndServer); err != nil {
					return outcome{}, err
				}
			}
			return b.compareSizes(pairs)
		})
	})
}

// requestAndRefresh returns the two cases of an application.
func requestAndRefresh(o *ours, database string, size int, clock measure.Clock) ([]measure.Case, error) {
	request, err := get(fmt.Sprintf("%s request %d", database, size), o.app, o.emails())
	if err != nil {
		return nil, err
	}
	refresh, _, err := rotation(o, o.db)
	if err != nil {
		return nil, err
	}
	refresh.Name = fmt.Sprintf("%s refresh %d", database, size)
	request.Clock, refresh.Clock = clock, clock
	return []measure.Case{request, refresh}, nil
}

// compareSizes returns the larger one of the two ratios.
func (b *bench) compareSizes(pairs [2][]measure.Case) (outcome, error) {
	small, large := pairs[0], pairs[1]
	cases := slices.Concat(small, large)
	result, err := measure.Plan{Rounds: b.plan.Rounds, Slice: wallSliceTime}.Run(cases...)
	if err != nil {
		return outcome{}, err
	}
	worst := outcomeOf(result, measure.Over(large[0].Name, small[0].Name), cases)
	if other := result.Ratio(measure.Over(large[1].Name, small[1].Name)); other.Median > worst.ratio.Median {
		worst.ratio = other
	}
	return worst, nil
}
