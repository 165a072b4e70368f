ALTER TABLE events RENAME TO events_0002
-- next
ALTER TABLE events_0002 DROP CONSTRAINT events_pkey
-- next
DROP INDEX ix_events_at, ix_events_seq, ix_events_tool, ix_events_session, ix_events_event, ix_events_rule,
  ix_events_not_allowed
-- next
CREATE TABLE events (
  id text COLLATE "C" NOT NULL, seq bigint NOT NULL, journal text COLLATE "C" NOT NULL, hash text COLLATE "C" NOT NULL,
  at_us bigint NOT NULL, event text COLLATE "C" NOT NULL, session_id text COLLATE "C", agent_id text COLLATE "C",
  agent_type text COLLATE "C", prompt_id text COLLATE "C", tool_name text COLLATE "C", tool_use_id text COLLATE "C",
  decision text COLLATE "C", rule text COLLATE "C", reason text COLLATE "C", hook text COLLATE "C", duration_us bigint,
  path text COLLATE "C", client_version text COLLATE "C", project text COLLATE "C", cwd text COLLATE "C",
  permission_mode text COLLATE "C", machine text COLLATE "C", canary integer NOT NULL DEFAULT 0,
  sanitized integer NOT NULL DEFAULT 0, body text COLLATE "C" NOT NULL,
  PRIMARY KEY (id, at_us)
) PARTITION BY RANGE (at_us)
-- next
CREATE INDEX ix_events_at ON events (at_us, id)
-- next
CREATE INDEX ix_events_seq ON events (journal, seq)
-- next
CREATE INDEX ix_events_tool ON events (tool_name, at_us) WHERE tool_name IS NOT NULL
-- next
CREATE INDEX ix_events_session ON events (session_id, at_us)
-- next
CREATE INDEX ix_events_event ON events (event, at_us)
-- next
CREATE INDEX ix_events_rule ON events (rule, at_us) WHERE rule IS NOT NULL
-- next
CREATE INDEX ix_events_not_allowed ON events (at_us) WHERE decision != 'allow'
-- next
CREATE INDEX ix_events_decision ON events (decision, at_us) WHERE decision != 'allow'
-- next
CREATE INDEX ix_events_span ON events USING brin (at_us) WITH (pages_per_range = 32, autosummarize = on)
-- next
CREATE TABLE events_other PARTITION OF events DEFAULT
-- next
CREATE FUNCTION levaithan_make_month(moment_us bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = OUR_SCHEMA, pg_temp AS $$
-- Makes the partition of the month that moment_us is in; NULL for a time that no clock shows: from before 2015, or more
-- than two years ahead. Rows of the month that wait in events_other move into it.
DECLARE
  first_day timestamp;
  low bigint;
  high bigint;
  part text;
BEGIN
  IF moment_us < 1420070400000000 OR moment_us > (extract(epoch FROM now()) + 63072000) * 1000000 THEN
    RETURN NULL;
  END IF;
  first_day := date_trunc('month', to_timestamp(moment_us / 1000000) AT TIME ZONE 'UTC');
  part := 'events_' || to_char(first_day, 'YYYY_MM');
  IF to_regclass(part) IS NOT NULL THEN
    RETURN part;
  END IF;
  LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE;  -- two at once: the second one sees what the first has made
  IF to_regclass(part) IS NOT NULL THEN
    RETURN part;
  END IF;
  low := extract(epoch FROM first_day)::bigint * 1000000;
  high := extract(epoch FROM first_day + interval '1 month')::bigint * 1000000;
  EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS, CONSTRAINT whole CHECK (at_us >= %s AND at_us < %s))', part, low, high);
  EXECUTE format('WITH moved AS (DELETE FROM events_other WHERE at_us >= %s AND at_us < %s RETURNING *) '
                 'INSERT INTO %I SELECT * FROM moved', low, high, part);
  EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, low, high);
  EXECUTE format('ALTER TABLE %I DROP CONSTRAINT whole', part);
  RETURN part;
END
$$
-- next
CREATE FUNCTION levaithan_drop_month(part text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = OUR_SCHEMA, pg_temp AS $$
-- Drops one whole month of events; never this month, nor a later one, nor what is no month of events.
BEGIN
  IF part !~ '^events_[0-9]{4}_[0-9]{2}$' OR part >= 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') THEN
    RAISE EXCEPTION '% is no month of the past', part;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(part) AND inhparent = 'events'::regclass) THEN
    RETURN false;
  END IF;
  EXECUTE format('DROP TABLE %I', part);
  RETURN true;
END
$$
-- next
REVOKE ALL ON FUNCTION levaithan_make_month(bigint), levaithan_drop_month(text) FROM PUBLIC
