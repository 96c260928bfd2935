BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE messages (
	run_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	parts TEXT NOT NULL, 
	step INTEGER, 
	CONSTRAINT pk_messages PRIMARY KEY (run_id, n), 
	CONSTRAINT fk_messages_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "messages" VALUES('run_11111111111111111111111111111111',1,'user','[{"type":"text","text":"What does order 7 cost? 🙂"}]',NULL);
INSERT INTO "messages" VALUES('run_11111111111111111111111111111111',2,'assistant','[{"type":"thinking","text":"hm","opaque":["anthropic","claude-sonnet-4-5","AP9zaWc="]},{"type":"text","text":"I look. "},{"type":"tool_call","id":"toolu_1","name":"orders__find","args":{"id":7,"note":"é "}}]',1);
INSERT INTO "messages" VALUES('run_11111111111111111111111111111111',3,'user','[{"type":"tool_result","call_id":"toolu_1","name":"orders__find","result":{"structured":{"price":12.5},"meta":{"server":"crm"}}}]',2);
INSERT INTO "messages" VALUES('run_11111111111111111111111111111111',4,'assistant','[{"type":"text","text":"It costs 12.50."}]',3);
INSERT INTO "messages" VALUES('run_22222222222222222222222222222222',1,'user','[{"type":"text","text":"And order 8?"}]',NULL);
INSERT INTO "messages" VALUES('run_22222222222222222222222222222222',2,'assistant','[{"type":"text","text":"Once more. "},{"type":"tool_call","id":"toolu_2","name":"orders__find","args":{"id":8}}]',1);
INSERT INTO "messages" VALUES('run_33333333333333333333333333333333',1,'user','[{"type":"text","text":"hello"}]',NULL);
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
	ended_at DOUBLE, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id), 
	CONSTRAINT fk_runs_prior_run_runs FOREIGN KEY(prior_run) REFERENCES runs (id)
);
INSERT INTO "runs" VALUES('run_11111111111111111111111111111111','sess_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',NULL,'clerk','local','ops','9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f','claude-sonnet-4-5','slack','completed','success',NULL,1,NULL,NULL,2,'{"input":1712,"output":50,"cache_read":400}',0.0064,'I look. It costs 12.50.',1760000001.25,1760000001.25,1760000004.0);
INSERT INTO "runs" VALUES('run_22222222222222222222222222222222','sess_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','run_11111111111111111111111111111111','clerk','local','ops','9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f','claude-sonnet-4-5',NULL,'running',NULL,NULL,1,NULL,NULL,1,'{"input":812,"output":41,"cache_read":400}',0.0031,'Once more. ',1760000060.0,1760000060.0,NULL);
INSERT INTO "runs" VALUES('run_33333333333333333333333333333333','sess_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',NULL,'clerk','local','ops','9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f','claude-sonnet-4-5',NULL,'failed','error','{"code":"overloaded_error","message":"the provider is overloaded","retryable":true,"details":{"status":529}}',1,NULL,NULL,0,'{}',0.0,'',1760000101.0,1760000101.0,1760000102.0);
INSERT INTO "runs" VALUES('run_44444444444444444444444444444444',NULL,NULL,'clerk','local','ops','9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f','claude-sonnet-4-5',NULL,'running',NULL,NULL,1,NULL,NULL,0,'{}',0.0,'',1760000300.0,1760000300.0,NULL);
CREATE TABLE sessions (
	id TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	key_digest TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	head_run TEXT, 
	state TEXT NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (id)
);
INSERT INTO "sessions" VALUES('sess_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','local','5e88000000000000000000000000000000000000000000000000000000000000','clerk',1760000000.5,1760086400.5,'run_22222222222222222222222222222222','open');
INSERT INTO "sessions" VALUES('sess_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','local','5e88000000000000000000000000000000000000000000000000000000000000','clerk',1760000100.0,1760086400.5,'run_33333333333333333333333333333333','open');
INSERT INTO "sessions" VALUES('sess_cccccccccccccccccccccccccccccccc','local','5e88000000000000000000000000000000000000000000000000000000000000','clerk',1760000200.0,1760000201.0,NULL,'open');
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
INSERT INTO "steps" VALUES('run_11111111111111111111111111111111',1,'model','claude-sonnet-4-5',NULL,'ok',NULL,NULL,'{"input":812,"output":41,"cache_read":400}',0.0031,1760000001.3,1760000002.4);
INSERT INTO "steps" VALUES('run_11111111111111111111111111111111',2,'tool','orders__find','toolu_1','ok','{"id":7,"note":"é "}','{"structured":{"price":12.5},"meta":{"server":"crm"}}',NULL,0.0,1760000002.5,1760000002.6);
INSERT INTO "steps" VALUES('run_11111111111111111111111111111111',3,'model','claude-sonnet-4-5',NULL,'ok',NULL,NULL,'{"input":900,"output":9}',0.0033,1760000002.7,1760000003.9);
INSERT INTO "steps" VALUES('run_22222222222222222222222222222222',1,'model','claude-sonnet-4-5',NULL,'ok',NULL,NULL,'{"input":812,"output":41,"cache_read":400}',0.0031,1760000060.1,1760000061.0);
INSERT INTO "steps" VALUES('run_33333333333333333333333333333333',1,'model','claude-sonnet-4-5',NULL,'error',NULL,NULL,NULL,0.0,1760000101.1,1760000102.0);
CREATE INDEX ix_sessions_principal_expires_at ON sessions (principal, expires_at);
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);
CREATE INDEX ix_runs_session_id ON runs (session_id);
CREATE INDEX ix_runs_state ON runs (state);
CREATE INDEX ix_runs_created_at ON runs (created_at);
COMMIT;
