"""The same digits as a `PyTorchTrial`: the platform owns the training loop, checkpoints and restarts."""

import logging
from typing import Any

import determined as det
import torch
from determined import pytorch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import TensorDataset


class DigitsTrial(pytorch.PyTorchTrial):
    """A small network over 8x8 images."""

    def __init__(self, context: pytorch.PyTorchTrialContext) -> None:
        self.context = context
        hidden = int(context.get_hparam("hidden"))
        self.model = context.wrap_model(nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10)))
        self.optimizer = context.wrap_optimizer(
            torch.optim.Adam(self.model.parameters(), lr=float(context.get_hparam("learning_rate")))
        )
        images, labels = load_digits(return_X_y=True)
        parts = train_test_split(images / 16.0, labels, test_size=0.25, random_state=0)
        x_train, x_valid, y_train, y_valid = (torch.tensor(part) for part in parts)
        self.training = TensorDataset(x_train.float(), y_train.long())
        self.validation = TensorDataset(x_valid.float(), y_valid.long())

    def build_training_data_loader(self) -> pytorch.DataLoader:
        """Shuffled batches; every process of a distributed trial gets its share."""
        return pytorch.DataLoader(self.training, batch_size=self.context.get_per_slot_batch_size(), shuffle=True)

    def build_validation_data_loader(self) -> pytorch.DataLoader:
        """All validation images."""
        return pytorch.DataLoader(self.validation, batch_size=self.context.get_per_slot_batch_size())

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> dict[str, torch.Tensor]:
        """One step of the optimizer."""
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss}

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        """Loss and accuracy of one batch; the harness averages them."""
        images, labels = batch
        output = self.model(images)
        accuracy = (output.argmax(dim=1) == labels).float().mean()
        return {"validation_loss": nn.functional.cross_entropy(output, labels).item(), "accuracy": accuracy.item()}


def run() -> None:
    """Entry point: train for the hyperparameter `batches`, validating and checkpointing on the way."""
    info = det.get_cluster_info()
    assert info is not None, "run this through: det experiment create config.yaml ."
    assert info.trial is not None
    with pytorch.init(hparams=info.trial.hparams) as context:
        logging.info("process %d of %d", context.distributed.get_rank(), context.distributed.get_size())
        trainer = pytorch.Trainer(DigitsTrial(context), context)
        trainer.fit(
            max_length=pytorch.Batch(int(info.trial.hparams["batches"])),
            validation_period=pytorch.Batch(50),
            checkpoint_period=pytorch.Batch(50),
            latest_checkpoint=info.latest_checkpoint,
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=det.LOG_FORMAT)
    run()
