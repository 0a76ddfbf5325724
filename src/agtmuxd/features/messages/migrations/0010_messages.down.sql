DROP TABLE mailbox;
DROP TABLE message_requests;
DROP TABLE messages_fts;
DROP TABLE reactions;
DROP TABLE deliveries;
DROP TABLE messages;
DROP TABLE channel_members;
DROP TABLE channels;
