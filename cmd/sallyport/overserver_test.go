package main

import (
	"context"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

// overAServer is the test that plays others once more.
const overAServer = "TestCommandsOverAServer"

// TestCommandsOverAServer plays the tests of the commands a second time, with a server
// that the commands talk to: what they print and do is the same.
func TestCommandsOverAServer(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"users are made and shown":       TestUsersAreCreatedAndShown,
		"user commands refuse":           TestUserCommandsRefuse,
		"disabling":                      TestDisablingAUserEndsEverything,
		"resetting factors":              TestResettingFactorsEndsEverything,
		"setting a password":             TestSettingAPassword,
		"unlocking":                      TestUnlockingAUser,
		"clients are shown":              TestClientsAreShownWithoutSecrets,
		"a client secret is rotated":     TestClientSecretRotatesWithoutAnOutage,
		"a client is deleted":            TestDeletingAClientDeletesItsTokens,
		"sessions":                       TestSessionsAreListedAndEnded,
		"events":                         TestAuditTrailIsSearched,
		"long trails":                    TestLongAuditTrailsArePaged,
		"an API key lives":               TestAPIKeyLifecycle,
		"apply makes":                    TestApplyCreatesTheDesiredState,
		"apply ends what a disabled has": TestApplyEndsAccessOfADisabledUser,
		"apply tells every fault":        TestApplyReportsEveryFault,
		"apply makes API keys":           TestApplyCreatesAPIKeys,
		"apply leaves what commands did": TestApplyKeepsWhatCommandsDidToAPIKeys,
		"apply after an interruption":    TestNextApplyCompletesAnInterruptedOne,
	} {
		t.Run(name, test)
	}
}

// startServer plays serve until the test ends, and waits for an answer of its admin
// listener over plain HTTP.
func startServer(t *testing.T, settings, admin string, want int) {
	t.Helper()
	p, _, log := testProgram("SALLYPORT_CONFIG="+settings, "SALLYPORT_DRAIN_TIME=0s")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- p.Main(ctx, commands(), []string{"serve"}) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != cli.ExitOK {
			t.Errorf("serve: exit code %d: %s", code, log)
		}
	})
	until(t, "http://"+admin+"/readyz", want)
}
