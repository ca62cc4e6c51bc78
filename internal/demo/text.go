package demo

import (
	"fmt"
	"strings"
)

// yaml is the configuration file of a run.
func (s *spec) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\ntask: %s\nseed: 42\n", s.id, s.task)
	fmt.Fprintf(&b, "model:\n  name: %s\n  parameters: %d\n", s.model.name, s.model.params)
	fmt.Fprintf(&b, "optimizer:\n  name: adamw\n  lr: %s\n  schedule: cosine\n", number(s.lr))
	fmt.Fprintf(&b, "training:\n  steps: %d\n  batch_size: %d\n  mixed_precision: true\n", s.total, s.batch)
	if len(s.augment) > 0 {
		fmt.Fprintf(&b, "  augment: [%s]\n", strings.Join(s.augment, ", "))
	}
	if s.parent != nil {
		fmt.Fprintf(&b, "resume:\n  run: %s\n  step: %d\n", s.parent.id, s.forkStep)
	}
	return b.String()
}

const requirements = `neptune-scale==0.13.0
numpy==2.2.3
torch==2.6.0
torchvision==0.21.0
`

// trainingScript is the source code that the runs have with them.
const trainingScript = `"""Train one run of the sweep and log it."""
import argparse

import torch
import yaml
from neptune_scale import Run

from project import build_data, build_model, build_scheduler


def main(arguments):
    with open(arguments.config) as file:
        config = yaml.safe_load(file)
    torch.manual_seed(config["seed"])
    model = build_model(config["model"]).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["optimizer"]["lr"])
    scheduler = build_scheduler(optimizer, config["training"]["steps"])

    run = Run(run_id=arguments.run_id, experiment_name=config["task"])
    run.log_configs({"config": config}, flatten=True)

    for step, (inputs, targets) in enumerate(build_data(config["training"])):
        loss = model(inputs.cuda(), targets.cuda())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 10 == 0:
            run.log_metrics({"metrics/train/loss": loss.item(), "optimizer/grad_norm": norm.item()}, step=step)
    run.close()


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_id")
    parser.add_argument("--config", default="config.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    main(parse_arguments())
`
