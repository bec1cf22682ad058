/** Settings of the sample log on Kafka. All processes that share a log need the same prefix, limits of topics and shards. */
import { z } from 'zod'
import { type ConfigOf, integer, oneOf, onOff, type Settings, text } from '../config.ts'

const brokerList = z
  .string()
  .transform((written) => written.split(',').map((address) => address.trim()))
  .refine(
    (addresses) => addresses.every((address) => /^[^\s:]+:\d{1,5}$/.test(address)),
    'must be a list of host:port, separated by commas',
  )

const topicPrefix = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/, 'must be 1 to 64 of A-Z a-z 0-9 . -')

export const kafkaLogSettings = {
  brokers: {
    name: 'KAFKA_BROKERS',
    shape: brokerList,
    default: '127.0.0.1:9092',
    description: 'Kafka brokers to begin with, `host:port` separated by commas; the others are learned from them',
  },
  clientId: {
    name: 'KAFKA_CLIENT_ID',
    shape: text,
    default: 'minutely',
    description: "How this process is called in the brokers' logs and quotas",
  },
  topicPrefix: {
    name: 'KAFKA_TOPIC_PREFIX',
    shape: topicPrefix,
    default: 'minutely',
    description: 'Beginning of the names of all topics and groups of one log',
  },
  ssl: {
    name: 'KAFKA_SSL',
    shape: onOff,
    default: 'off',
    description: 'Whether to speak TLS with the brokers (authorities: NODE_EXTRA_CA_CERTS)',
  },
  saslMechanism: {
    name: 'KAFKA_SASL_MECHANISM',
    shape: oneOf(['plain', 'scram-sha-256', 'scram-sha-512']),
    default: 'scram-sha-512',
    description: 'How to log in, if there is a user name',
  },
  saslUsername: {
    name: 'KAFKA_SASL_USERNAME',
    shape: text,
    default: '',
    description: 'User name at the brokers; none means no login',
  },
  saslPassword: {
    name: 'KAFKA_SASL_PASSWORD',
    shape: text,
    default: '',
    description: 'Password at the brokers',
    secret: true,
  },
  connectTimeoutMs: {
    name: 'KAFKA_CONNECT_TIMEOUT_MS',
    shape: integer({ min: 1_000, max: 600_000 }),
    default: '30000',
    unit: 'ms',
    description: 'How long the start waits for a first broker',
  },
  requestTimeoutMs: {
    name: 'KAFKA_REQUEST_TIMEOUT_MS',
    shape: integer({ min: 500, max: 120_000 }),
    default: '10000',
    unit: 'ms',
    description: 'Deadline of a request to a broker other than an append; past it the connection is given up',
  },
  partitionCount: {
    name: 'KAFKA_PARTITIONS',
    shape: integer({ min: 1, max: 1_000 }),
    default: '4',
    description: 'Partitions of a new topic',
  },
  replicationFactor: {
    name: 'KAFKA_REPLICATION',
    shape: integer({ min: 1, max: 16 }),
    default: '1',
    description: 'Replicas of a new topic; 3 in production',
  },
  inSyncReplicasMin: {
    name: 'KAFKA_MIN_INSYNC_REPLICAS',
    shape: integer({ min: 1, max: 16 }),
    default: '1',
    description: 'Replicas that must have a record before it is acknowledged; 2 in production',
  },
  retentionMs: {
    name: 'KAFKA_RETENTION_MS',
    shape: integer({ min: 60_000, max: 31_536_000_000 }),
    default: '172800000',
    unit: 'ms',
    description: 'How long a new topic keeps records, read or not',
  },
  deadLetterRetentionMs: {
    name: 'KAFKA_DEAD_LETTERS_RETENTION_MS',
    shape: integer({ min: 60_000, max: 31_536_000_000 }),
    default: '2592000000',
    unit: 'ms',
    description: 'How long dead letters are kept',
  },
  topicsMax: {
    name: 'TOPICS_MAX',
    shape: integer({ min: 0, max: 20_000 }),
    default: '200',
    description: 'Metrics that get a topic of their own; further ones share topics',
  },
  sharedTopicCount: {
    name: 'KAFKA_SHARED_TOPICS',
    shape: integer({ min: 1, max: 1_000 }),
    default: '64',
    description: 'Topics that the metrics past TOPICS_MAX share',
  },
  shardCount: {
    name: 'KAFKA_SHARDS',
    shape: integer({ min: 1, max: 4_096 }),
    default: '64',
    description: 'Shares in which partitions are given to the members of a group; at most so many members have work',
  },
  sendTimeoutMs: {
    name: 'KAFKA_SEND_TIMEOUT_MS',
    shape: integer({ min: 100, max: 60_000 }),
    default: '6000',
    unit: 'ms',
    description: 'Deadline of an append with its retries; less than the deadline of the collector (APPEND_DEADLINE_MS)',
  },
  sendBytesMax: {
    name: 'KAFKA_SEND_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 1_073_741_824 }),
    default: '67108864',
    unit: 'bytes',
    description: 'Records on their way to the brokers; past it appends are refused with 503',
  },
  batchBytesMax: {
    name: 'KAFKA_BATCH_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 67_108_864 }),
    default: '4194304',
    unit: 'bytes',
    description: 'Largest record batch of a partition; new topics take that much (max.message.bytes)',
  },
  compressBytesMin: {
    name: 'KAFKA_COMPRESS_BYTES_MIN',
    shape: integer({ min: 0, max: 67_108_864 }),
    default: '16384',
    unit: 'bytes',
    description: 'Record batches smaller than this are sent uncompressed',
  },
  fetchBytesMax: {
    name: 'KAFKA_FETCH_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 8_589_934_592 }),
    default: '134217728',
    unit: 'bytes',
    description: 'Fetched records that wait for their reader, of the whole process',
  },
  partitionFetchBytesMax: {
    name: 'KAFKA_PARTITION_FETCH_BYTES_MAX',
    shape: integer({ min: 65_536, max: 67_108_864 }),
    default: '1048576',
    unit: 'bytes',
    description: 'Fetched records of one partition that wait for their reader (one larger record is let through)',
  },
  fetchEveryMs: {
    name: 'KAFKA_FETCH_EVERY_MS',
    shape: integer({ min: 0, max: 10_000 }),
    default: '500',
    unit: 'ms',
    description: 'Least time between two fetches from a broker, so that each brings records of many partitions',
  },
  metadataEveryMs: {
    name: 'KAFKA_METADATA_EVERY_MS',
    shape: integer({ min: 100, max: 600_000 }),
    default: '10000',
    unit: 'ms',
    description: 'How often topics and leaders are looked up; a new topic is read after that time at most',
  },
  sessionTimeoutMs: {
    name: 'KAFKA_SESSION_TIMEOUT_MS',
    shape: integer({ min: 1_000, max: 1_800_000 }),
    default: '20000',
    unit: 'ms',
    description: 'A member of a group that is silent for so long loses its partitions',
  },
  heartbeatMs: {
    name: 'KAFKA_HEARTBEAT_MS',
    shape: integer({ min: 100, max: 60_000 }),
    default: '3000',
    unit: 'ms',
    description: 'Time between two signs of life of a member of a group',
  },
  rebalanceTimeoutMs: {
    name: 'KAFKA_REBALANCE_TIMEOUT_MS',
    shape: integer({ min: 1_000, max: 1_800_000 }),
    default: '60000',
    unit: 'ms',
    description: 'How long a group that changes waits for each member to join again',
  },
} satisfies Settings

export type KafkaLogConfig = ConfigOf<typeof kafkaLogSettings>
