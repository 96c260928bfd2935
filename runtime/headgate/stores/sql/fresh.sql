-- Written by scripts/fresh.py: what the migrations lead to, for databases that are new. Making one of it
-- needs neither SQLAlchemy nor Alembic.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE audit (
	n INTEGER NOT NULL, 
	hash TEXT NOT NULL, 
	entry TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	kind TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	run TEXT, 
	CONSTRAINT pk_audit PRIMARY KEY (n)
);
CREATE TABLE audit_anchor (
	id INTEGER NOT NULL, 
	n BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_audit_anchor PRIMARY KEY (id)
);
INSERT INTO "audit_anchor" VALUES(1,0,'');
CREATE TABLE counters (
	name TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
CREATE TABLE credentials (
	kind TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	name TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	expires_at DOUBLE, 
	CONSTRAINT pk_credentials PRIMARY KEY (kind, owner, name)
);
CREATE TABLE documents (
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	body TEXT NOT NULL, 
	sealed TEXT, 
	revision INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	created_by TEXT NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	updated_by TEXT NOT NULL, 
	CONSTRAINT pk_documents PRIMARY KEY (kind, name)
);
CREATE TABLE events (
	run_id TEXT NOT NULL, 
	fence INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	data TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (run_id, fence, n), 
	CONSTRAINT fk_events_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE grants (
	session_id TEXT NOT NULL, 
	policy TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	qualifier TEXT NOT NULL, 
	granted_by TEXT NOT NULL, 
	granted_at DOUBLE NOT NULL, 
	CONSTRAINT pk_grants PRIMARY KEY (session_id, policy, tool, qualifier), 
	CONSTRAINT fk_grants_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
CREATE TABLE intents (
	run_id TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	call_id TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	CONSTRAINT pk_intents PRIMARY KEY (run_id, step), 
	CONSTRAINT fk_intents_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE messages (
	run_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	parts TEXT NOT NULL, 
	step INTEGER, 
	CONSTRAINT pk_messages PRIMARY KEY (run_id, n), 
	CONSTRAINT fk_messages_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id TEXT NOT NULL, 
	session_id TEXT, 
	prior_run TEXT, 
	agent TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	team TEXT NOT NULL, 
	revision TEXT NOT NULL, 
	model TEXT NOT NULL, 
	channel TEXT, 
	state TEXT NOT NULL, 
	outcome TEXT, 
	error TEXT, 
	fence INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_until DOUBLE, 
	turns INTEGER NOT NULL, 
	usage TEXT NOT NULL, 
	cost DOUBLE NOT NULL, 
	answer TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	ended_at DOUBLE, key_digest TEXT DEFAULT '' NOT NULL, request TEXT DEFAULT '{}' NOT NULL, elapsed DOUBLE DEFAULT '0' NOT NULL, has_events INTEGER DEFAULT '1' NOT NULL, has_steps INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id), 
	CONSTRAINT fk_runs_prior_run_runs FOREIGN KEY(prior_run) REFERENCES runs (id)
);
CREATE TABLE sessions (
	id TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	key_digest TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	head_run TEXT, 
	state TEXT NOT NULL, updated_at DOUBLE DEFAULT '0' NOT NULL, parent TEXT, 
	CONSTRAINT pk_sessions PRIMARY KEY (id)
);
CREATE TABLE steps (
	run_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	call_id TEXT, 
	status TEXT NOT NULL, 
	args TEXT, 
	result TEXT, 
	usage TEXT, 
	cost DOUBLE NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE NOT NULL, 
	CONSTRAINT pk_steps PRIMARY KEY (run_id, n), 
	CONSTRAINT fk_steps_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE usage (
	minute INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	fence INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	agent TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	team TEXT NOT NULL, 
	session_id TEXT, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	input INTEGER NOT NULL, 
	output INTEGER NOT NULL, 
	cache_write INTEGER NOT NULL, 
	cache_write_1h INTEGER NOT NULL, 
	cache_read INTEGER NOT NULL, 
	reasoning INTEGER NOT NULL, 
	cost DOUBLE, 
	broken INTEGER NOT NULL, 
	owner TEXT NOT NULL, seconds DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_usage PRIMARY KEY (at, run_id, fence, n)
)
 WITHOUT ROWID

;
CREATE TABLE waits (
	id TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	session_id TEXT, 
	step INTEGER NOT NULL, 
	call_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	args TEXT NOT NULL, 
	args_hash TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	team TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	policy TEXT, 
	qualifier TEXT, 
	approvers TEXT NOT NULL, 
	quorum INTEGER NOT NULL, 
	shown TEXT NOT NULL, 
	may_remember INTEGER NOT NULL, 
	votes TEXT NOT NULL, 
	state TEXT NOT NULL, 
	result TEXT, 
	resolved_at DOUBLE, 
	revision INTEGER NOT NULL, trail TEXT, question TEXT, round TEXT, 
	CONSTRAINT pk_waits PRIMARY KEY (id), 
	CONSTRAINT fk_waits_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_sessions_principal_expires_at ON sessions (principal, expires_at);
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);
CREATE INDEX ix_runs_session_id ON runs (session_id);
CREATE INDEX ix_sessions_principal_created_at_id ON sessions (principal, created_at, id);
CREATE INDEX ix_sessions_created_at_id ON sessions (created_at, id);
CREATE INDEX ix_sessions_updated_at ON sessions (updated_at);
CREATE INDEX ix_sessions_head_run ON sessions (head_run);
CREATE INDEX ix_runs_prior_run ON runs (prior_run);
CREATE INDEX ix_runs_state_created_at_id ON runs (state, created_at, id);
CREATE INDEX ix_runs_principal_created_at_id ON runs (principal, created_at, id);
CREATE INDEX ix_runs_created_at_id ON runs (created_at, id);
CREATE INDEX ix_runs_leased ON runs (state, lease_until) WHERE state = 'running';
CREATE INDEX ix_runs_with_events ON runs (ended_at) WHERE has_events = 1 AND ended_at IS NOT NULL;
CREATE INDEX ix_runs_with_steps ON runs (ended_at) WHERE has_steps = 1 AND ended_at IS NOT NULL;
CREATE INDEX ix_runs_alone ON runs (session_id, ended_at) WHERE session_id IS NULL AND ended_at IS NOT NULL;
CREATE INDEX ix_events_deltas ON events (run_id, step) WHERE kind IN ('text.delta', 'thinking.delta');
CREATE INDEX ix_waits_run_id ON waits (run_id);
CREATE INDEX ix_waits_session_id ON waits (session_id);
CREATE INDEX ix_waits_state_created_at_id ON waits (state, created_at, id);
CREATE INDEX ix_waits_created_at_id ON waits (created_at, id);
CREATE INDEX ix_waits_expiring ON waits (state, expires_at) WHERE state = 'pending';
