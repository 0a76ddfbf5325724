DROP TABLE notify_codes;
DROP TABLE notify_channels;
DROP TABLE notify_mutes;
DROP TABLE notify_turns;
DROP TABLE notify_deliveries;
DROP TABLE notify_messages;
DROP TABLE notify_episodes;
