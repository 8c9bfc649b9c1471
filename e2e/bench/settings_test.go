package bench

import (
	"cmp"
	"fmt"
	"regexp"
	"time"
)

// settings are what the environment says; docs/performance.md describes each.
type settings struct {
	pick     *regexp.Regexp // of the names of runs
	time     time.Duration  // of one run, in slices
	out      string
	compare  string // file to compare with; "": none
	profiles string // folder of profiles; "": none
}

// parts is how many parts of a run are compared, so that its noise is known.
const parts = 5

func readSettings(env func(string) string) (settings, error) {
	pick, err := regexp.Compile(env("BENCH"))
	if err != nil {
		return settings{}, fmt.Errorf("BENCH: %w", err)
	}
	d, err := time.ParseDuration(cmp.Or(env("BENCH_TIME"), "3s"))
	if err != nil || d < 100*time.Millisecond {
		return settings{}, fmt.Errorf("BENCH_TIME: %q is not a duration of 100ms or more", env("BENCH_TIME"))
	}
	return settings{pick: pick, time: d, out: cmp.Or(env("BENCH_OUT"), "bench.json"), compare: env("COMPARE"), profiles: env("PROFILES")}, nil
}
