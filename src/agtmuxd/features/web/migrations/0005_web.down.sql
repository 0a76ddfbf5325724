DROP TABLE web_server;
DROP TABLE web_devices;
