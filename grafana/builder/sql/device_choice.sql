SELECT device_id FROM devices
WHERE device_id ILIKE '%' || ${search:sqlstring} || '%'
ORDER BY device_id
LIMIT 100
