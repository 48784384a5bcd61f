-- The gateway's own log as it lies in the bucket; the compactor turns into events what has none of its own.
CREATE EXTERNAL TABLE IF NOT EXISTS ${database}.gateway_log (
  `extendedrequestid` string,
  `requestid` string,
  `requesttimeepoch` string,
  `status` string,
  `responsetype` string,
  `responselength` string,
  `responselatency` string,
  `integrationstatus` string,
  `integrationlatency` string,
  `integrationrequestid` string,
  `wafresponsecode` string,
  `xraytraceid` string,
  `ip` string,
  `apikeyid` string,
  `protocol` string,
  `stage` string,
  `routekey` string,
  `integrationerrormessage` string,
  `authorizererror` string,
  `errormessage` string,
  `domainname` string,
  `httpmethod` string,
  `path` string,
  `useragent` string
)
PARTITIONED BY (`dt` string, `hour` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true', 'case.insensitive' = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://${bucket}/gateway/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '2025-01-01,NOW+1DAYS',
  'projection.dt.interval' = '1',
  'projection.dt.interval.unit' = 'DAYS',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://${bucket}/gateway/dt=${dt}/hour=${hour}/'
);
