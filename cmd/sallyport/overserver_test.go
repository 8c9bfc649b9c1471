package main

import (
	"context"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

// overAServer is the test that runs others again.
const overAServer = "TestCommandsOverAServer"

// TestCommandsOverAServer runs the tests of the commands again with a running server, which
// the commands call: their output and effect are the same.
func TestCommandsOverAServer(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"users are created and shown":       TestUsersAreCreatedAndShown,
		"user commands refuse":              TestUserCommandsRefuse,
		"disabling":                         TestDisablingAUserEndsEverything,
		"resetting factors":                 TestResettingFactorsEndsEverything,
		"setting a password":                TestSettingAPassword,
		"unlocking":                         TestUnlockingAUser,
		"a counter ahead is reset":          TestACounterAheadOfTheClockIsReset,
		"clients are shown":                 TestClientsAreShownWithoutSecrets,
		"a client secret is rotated":        TestClientSecretRotatesWithoutAnOutage,
		"a client is deleted":               TestDeletingAClientDeletesItsTokens,
		"sessions":                          TestSessionsAreListedAndEnded,
		"messages":                          TestMessagesAreListedResentAndDropped,
		"waits":                             TestWaitsAreListedAndLifted,
		"events":                            TestAuditTrailIsSearched,
		"explaining":                        TestALoginIsExplained,
		"long trails":                       TestLongAuditTrailsArePaged,
		"API key lifecycle":                 TestAPIKeyLifecycle,
		"apply creates":                     TestApplyCreatesTheDesiredState,
		"apply ends access of the disabled": TestApplyEndsAccessOfADisabledUser,
		"apply reports every fault":         TestApplyReportsEveryFault,
		"apply creates API keys":            TestApplyCreatesAPIKeys,
		"apply keeps what commands did":     TestApplyKeepsWhatCommandsDidToAPIKeys,
		"apply after an interruption":       TestNextApplyCompletesAnInterruptedOne,
	} {
		t.Run(name, test)
	}
}

// startServer runs serve until the test ends, and waits until its admin listener responds
// with want over plain HTTP.
func startServer(t *testing.T, settings, admin string, want int, environ ...string) {
	t.Helper()
	p, _, log := testProgram(append(environ, "SALLYPORT_CONFIG="+settings, "SALLYPORT_DRAIN_TIME=0s")...)
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
