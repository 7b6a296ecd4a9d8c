"""An Application Load Balancer in front of a stage."""

from tests.services.ministack import ACCOUNT, REGION, MiniStack


class LoadBalancer:
    """
    A load balancer of ``aws`` whose target is the alias "live" of a function.

    This project describes the events of load balancers, and no resources of them:
    docs/event-sources.md.
    """

    def __init__(self, aws: MiniStack, function: str) -> None:
        self.client = aws.client("elbv2")
        [balancer] = self.client.create_load_balancer(Name=function)["LoadBalancers"]
        self.arn = balancer["LoadBalancerArn"]
        self.url = f"https://{balancer['DNSName']}"
        [group] = self.client.create_target_group(Name=function, TargetType="lambda")[
            "TargetGroups"
        ]
        self.group = group["TargetGroupArn"]
        self.client.modify_target_group_attributes(
            TargetGroupArn=self.group,
            Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}],
        )
        target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}:live"
        aws.client("lambda").add_permission(
            FunctionName=function,
            Qualifier="live",
            StatementId="load-balancer",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=self.group,
        )
        self.client.register_targets(
            TargetGroupArn=self.group, Targets=[{"Id": target}]
        )
        self.client.create_listener(
            LoadBalancerArn=self.arn,
            Protocol="HTTPS",
            Port=443,
            Certificates=[
                {"CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"}
            ],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )

    def remove(self) -> None:
        self.client.delete_load_balancer(LoadBalancerArn=self.arn)
        self.client.delete_target_group(TargetGroupArn=self.group)
