SELECT count(*) FROM latest_events WHERE ts < now() - ${silent:sqlstring}::interval
