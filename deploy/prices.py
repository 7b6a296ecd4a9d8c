"""
Prices in USD, in us-east-1, and the pages that say them.

Taken in November 2026 from copies, made between February and June 2026, of those
pages or of pages about them. No copy had the prices marked "check": check them first.
What agrees with them is older (S3: 2022; db.m7g: MySQL in us-west-2, 2024) or undated.
Other regions are up to a quarter dearer.
"""

from math import inf

# What each price is for, and where it is said.
PAGES = {
    "Lambda": "https://aws.amazon.com/lambda/pricing/",
    "API Gateway": "https://aws.amazon.com/api-gateway/pricing/",
    "CloudWatch": "https://aws.amazon.com/cloudwatch/pricing/",
    "EC2 (data transfer)": "https://aws.amazon.com/ec2/pricing/on-demand/",
    "SQS": "https://aws.amazon.com/sqs/pricing/",
    "S3": "https://aws.amazon.com/s3/pricing/",
    "X-Ray": "https://aws.amazon.com/xray/pricing/",
    "RDS": "https://aws.amazon.com/rds/postgresql/pricing/",
    "RDS Proxy": "https://aws.amazon.com/rds/proxy/pricing/",
    "VPC (NAT)": "https://aws.amazon.com/vpc/pricing/",
    "PrivateLink": "https://aws.amazon.com/privatelink/pricing/",
    "Systems Manager": "https://aws.amazon.com/systems-manager/pricing/",
}

USD = {
    "lambda request": 0.20,  # a million
    "alarm": 0.10,  # a metric in it
    "dashboard": 3.00,
    "log storage": 0.03,  # a GB and month
    "sqs": 0.40,  # a million requests
    "s3": 0.023,  # a GB and month; check
    "xray": 5.00,  # a million traces
    "database storage": 0.115,  # a GB and month, gp3
    "proxy": 0.015,  # a vCPU of the database and hour, at least two; check
    "endpoint": 0.01,  # a zone and hour
    "nat": 0.045,  # an hour
}

# Up to so many, each costs so much.
TIERS = {
    "lambda": ((7.5e9, 0.0000133334), (18.75e9, 0.0000120001), (inf, 0.0000106667)),
    "http-api": ((300, 1.00), (inf, 0.90)),
    "rest-api": ((333, 3.50), (1_000, 2.80), (20_000, 2.38), (inf, 1.51)),
    "transfer": ((10_240, 0.09), (51_200, 0.085), (153_600, 0.07), (inf, 0.05)),
    "logs": ((10_240, 0.50), (30_720, 0.25), (51_200, 0.10), (inf, 0.05)),
    "metrics": ((10_000, 0.30), (250_000, 0.10), (1_000_000, 0.05), (inf, 0.02)),
}

# An hour of PostgreSQL in one zone, and its vCPUs.
DATABASES = {
    "db.t4g.micro": (0.016, 2),
    "db.t4g.small": (0.032, 2),
    "db.t4g.medium": (0.065, 2),
    "db.m7g.large": (0.168, 2),  # check
    "db.m7g.xlarge": (0.337, 4),  # check
}
