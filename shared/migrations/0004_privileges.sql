-- Each service under its own role, with what it does and no more.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION
    ensure_event_partitions(date[]), ensure_stats_partitions(int4, timestamptz, timestamptz),
    register_devices(text[], int8), register_layout(text[], int8) FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO plumbline_ingestion, plumbline_aggregation, plumbline_api, plumbline_readonly;
GRANT SELECT ON ALL TABLES IN SCHEMA public
    TO plumbline_ingestion, plumbline_aggregation, plumbline_api, plumbline_readonly;

REVOKE TEMPORARY ON DATABASE :database FROM PUBLIC;
GRANT TEMPORARY ON DATABASE :database TO plumbline_ingestion, plumbline_aggregation;
GRANT INSERT ON events, device_layouts, dead_letters, outbox, dirty, kafka_offsets TO plumbline_ingestion;
GRANT UPDATE ON kafka_offsets, outbox TO plumbline_ingestion;
GRANT UPDATE (published_at) ON dead_letters TO plumbline_ingestion;
GRANT UPDATE (share_lock) ON watermarks TO plumbline_ingestion;
GRANT EXECUTE ON FUNCTION
    ensure_event_partitions(date[]), register_devices(text[], int8), register_layout(text[], int8)
    TO plumbline_ingestion;

GRANT INSERT, UPDATE, DELETE ON stats, dirty TO plumbline_aggregation;
GRANT INSERT, UPDATE ON watermarks, materialized TO plumbline_aggregation;
GRANT DELETE ON outbox TO plumbline_aggregation;
GRANT EXECUTE ON FUNCTION ensure_stats_partitions(int4, timestamptz, timestamptz) TO plumbline_aggregation;
