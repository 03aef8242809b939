SELECT name FROM metrics ORDER BY name LIMIT 20
