SELECT count(*) FROM devices
