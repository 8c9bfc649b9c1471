package mfa

// Outcomes of an event.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused" // by a rule: wrong code, wait, policy
	OutcomeFailed  = "failed"  // by a fault of the server
)

// Outcomes returns every outcome.
func Outcomes() []string { return []string{OutcomeOK, OutcomeRefused, OutcomeFailed} }

// Reasons of a refusal that only the audit trail and the log tell from its code.
const (
	ReasonDisabledUser = "disabled_user"
	ReasonExpired      = "expired_exchange"
	ReasonReplayed     = "replayed" // the token of a remembered device, replaced before
)

// Event kinds of the audit trail. docs/events.md describes them.
const (
	EventLoginFinished  = "login.finished"
	EventLoginRefused   = "login.refused"
	EventLoginCancelled = "login.cancelled"
	EventLoginRestarted = "login.restarted"
	EventLoginAdopted   = "login.adopted" // a browser continued a request opened without one

	EventPasswordOK     = "password.ok"
	EventPasswordFailed = "password.failed"
	EventPasswordLocked = "password.locked" // an attempt during a wait

	EventMFAInitiated = "mfa.initiated"
	EventMFAOK        = "mfa.ok"
	EventMFAFailed    = "mfa.failed"
	EventMFAReplayed  = "mfa.replayed"
	EventMFALocked    = "mfa.locked"   // an attempt during a wait
	EventMFADisabled  = "mfa.disabled" // the last allowed failure disabled the factor
	EventMFACancelled = "mfa.cancelled"
	EventMFAExpired   = "mfa.expired" // a response to a status that had expired

	EventRecoveryUsed        = "recovery.used"
	EventRecoveryRegenerated = "recovery.regenerated"

	EventEnrollmentStarted = "factor.enrollment_started"
	EventFactorEnrolled    = "factor.enrolled"
	EventFactorDeleted     = "factor.deleted"
	EventFactorEnabled     = "factor.enabled"
	EventFactorRenamed     = "factor.renamed"

	EventConsentGiven     = "consent.given"
	EventConsentWithdrawn = "consent.withdrawn"

	EventCodeIssued    = "code.issued"
	EventCodeRedeemed  = "code.redeemed"
	EventCodeReplayed  = "code.replayed"
	EventTokenIssued   = "token.issued" // client credentials
	EventTokenRefresh  = "token.refreshed"
	EventTokenExchange = "token.exchanged"
	EventRefreshReused = "refresh.reused"
	EventTokenRevoked  = "token.revoked"
	EventClientFailed  = "client.failed" // client authentication refused

	EventDeviceGuessed = "device.guessed" // too many wrong codes of devices from a network: it waits

	EventBackchannelRequested = "backchannel.requested" // a client asked for a user's sign-in
	EventBackchannelRefused   = "backchannel.refused"   // it ended without their consent

	EventLogout          = "session.logout"
	EventSessionExtended = "session.extended" // by a backend: expiry or custom claims

	EventLogoutUndelivered = "logout.undelivered" // a client was not told of the end of a session

	EventPasskeyBackup    = "passkey.backup"   // a passkey is backed up, or no longer
	EventPasskeyAttested  = "passkey.attested" // a new passkey was asked what keeps its key
	EventPasskeyCounter   = "passkey.counter"  // its counter was not higher than before: there may be a copy
	EventAddressAdded     = "address.added"
	EventAddressVerified  = "address.verified"
	EventAddressChanged   = "address.changed"
	EventAddressRemoved   = "address.removed"
	EventAddressRestored  = "address.restored" // by the link of a message
	EventProfileChanged   = "profile.changed"  // by the user
	EventUsernameChanged  = "username.changed" // by the user
	EventDeviceRemembered = "device.remembered"
	EventDeviceForgotten  = "device.forgotten" // by its user, an administrator, or a replay

	EventUserCreated     = "user.created"
	EventUserChanged     = "user.changed"
	EventUserDeleted     = "user.deleted"
	EventUserUnlocked    = "user.unlocked"
	EventUserSignedUp    = "user.signed_up" // by a proven address, as a new user or one that was pending
	EventTermsAccepted   = "terms.accepted"
	EventSignUpRequested = "signup.requested" // a message was written, or not: see its reason
	EventSignUpFailed    = "signup.failed"    // too many wrong codes

	EventUserInvited       = "user.invited"
	EventInvitationResent  = "invitation.resent"
	EventInvitationRevoked = "invitation.revoked"
	EventInvitationExpired = "invitation.expired" // a week ago: it is gone

	EventPasswordChanged = "user.password_changed"
	EventResetRequested  = "password.reset_requested" // a message was written, or not: see its reason
	EventResetFailed     = "password.reset_failed"    // a wrong code
	EventWaitsLifted     = "waits.lifted"             // by an administrator

	EventClientCreated    = "client.created"
	EventClientChanged    = "client.changed"
	EventClientDeleted    = "client.deleted"
	EventClientRegistered = "client.registered" // by itself, with an initial access token

	EventRegistrationTokenCreated = "registration_token.created"
	EventRegistrationTokenRevoked = "registration_token.revoked"

	EventAPIKeyCreated = "api_key.created"
	EventAPIKeyChanged = "api_key.changed"
	EventAPIKeyDeleted = "api_key.deleted"
	EventAPIKeyRefused = "api_key.refused" // authentication with an unknown or invalid key
	EventAPIKeyUsed    = "api_key.used"    // a call of a backend, whatever its outcome

	EventMessageResent  = "message.resent"
	EventMessageDropped = "message.dropped"

	EventKeysCreated   = "keys.created"
	EventKeysRotated   = "keys.rotated"
	EventKeysRewrapped = "keys.rewrapped"
	EventKeysRetired   = "keys.retired"
	EventKeysWithdrawn = "keys.withdrawn" // immediately, with everything signed or sealed with it
	EventKeysResealed  = "keys.resealed"  // stored secrets were sealed again under the newest keys

	EventConfiguration  = "server.configuration" // a problem detected at start or reload
	EventDecryptFailure = "server.decrypt_failure"
)

// EventKinds returns every event kind.
func EventKinds() []string {
	return []string{
		EventLoginFinished, EventLoginRefused, EventLoginCancelled, EventLoginRestarted, EventLoginAdopted,
		EventPasswordOK, EventPasswordFailed, EventPasswordLocked, EventMFAInitiated, EventMFAOK, EventMFAFailed,
		EventMFAReplayed, EventMFALocked, EventMFADisabled, EventMFACancelled, EventMFAExpired, EventRecoveryUsed, EventRecoveryRegenerated,
		EventEnrollmentStarted, EventFactorEnrolled, EventFactorDeleted, EventFactorEnabled, EventFactorRenamed, EventPasskeyBackup, EventPasskeyAttested, EventPasskeyCounter,
		EventConsentGiven, EventConsentWithdrawn, EventCodeIssued, EventCodeRedeemed, EventCodeReplayed, EventTokenIssued,
		EventTokenRefresh, EventTokenExchange, EventRefreshReused, EventTokenRevoked, EventClientFailed, EventDeviceGuessed, EventBackchannelRequested, EventBackchannelRefused,
		EventLogout, EventLogoutUndelivered, EventSessionExtended, EventDeviceRemembered, EventDeviceForgotten,
		EventAddressAdded, EventAddressVerified, EventAddressChanged, EventAddressRemoved, EventAddressRestored, EventProfileChanged, EventUsernameChanged,
		EventUserCreated, EventUserChanged, EventUserDeleted, EventUserUnlocked, EventUserInvited, EventInvitationResent, EventInvitationRevoked, EventInvitationExpired,
		EventUserSignedUp, EventTermsAccepted, EventSignUpRequested, EventSignUpFailed, EventPasswordChanged, EventResetRequested, EventResetFailed, EventWaitsLifted,
		EventClientCreated, EventClientChanged, EventClientDeleted, EventClientRegistered, EventRegistrationTokenCreated, EventRegistrationTokenRevoked, EventAPIKeyCreated, EventAPIKeyChanged,
		EventAPIKeyDeleted, EventAPIKeyRefused, EventAPIKeyUsed, EventMessageResent, EventMessageDropped,
		EventKeysCreated, EventKeysRotated, EventKeysRewrapped,
		EventKeysRetired, EventKeysWithdrawn, EventKeysResealed, EventConfiguration, EventDecryptFailure,
	}
}
