"""A small classifier of handwritten digits, trained through the Core API: no PyTorch, no download.

The data are the 1,797 digits that scikit-learn ships. The script reports metrics and progress, stores checkpoints, and goes on
from the latest one after a pause, a restart or a lost machine.
"""

import logging
import pathlib
import pickle

import determined as det
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

log = logging.getLogger("digits")


def load(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and validation images (values 0..1) and labels."""
    images, labels = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(images / 16.0, labels, test_size=0.25, random_state=seed)
    return x_train, x_valid, y_train, y_valid


def main(core: det.core.Context, info: det.ClusterInfo) -> None:
    """Train for `epochs`, one report and one checkpoint each."""
    assert info.trial is not None
    hparams, seed = info.trial.hparams, info.trial.trial_seed
    x_train, x_valid, y_train, y_valid = load(seed % 2**32)
    model = MLPClassifier(
        hidden_layer_sizes=(int(hparams["hidden"]),),
        learning_rate_init=float(hparams["learning_rate"]),
        random_state=seed % 2**32,
    )
    start = 0
    if info.latest_checkpoint is not None:
        with core.checkpoint.restore_path(info.latest_checkpoint) as path:
            model, start = pickle.loads((path / "model.pkl").read_bytes())
        log.info("going on after epoch %d", start)

    classes = np.arange(10)
    epochs = int(hparams["epochs"])
    rng = np.random.default_rng(seed)
    for epoch in range(start + 1, epochs + 1):
        order = rng.permutation(len(x_train))
        for batch in np.array_split(order, max(1, len(order) // int(hparams["batch_size"]))):
            model.partial_fit(x_train[batch], y_train[batch], classes=classes)
        core.train.report_training_metrics(steps_completed=epoch, metrics={"loss": float(model.loss_)})
        probabilities = model.predict_proba(x_valid)
        loss = float(log_loss(y_valid, probabilities, labels=classes))
        accuracy = float((probabilities.argmax(axis=1) == y_valid).mean())
        metrics = {"validation_loss": loss, "accuracy": accuracy, "epochs": epoch}
        core.train.report_validation_metrics(steps_completed=epoch, metrics=metrics)
        core.train.report_progress(epoch / epochs)
        log.info("epoch %d of %d: validation loss %.4f, accuracy %.3f", epoch, epochs, loss, accuracy)
        with core.checkpoint.store_path({"steps_completed": epoch}) as (path, _uuid):
            pathlib.Path(path / "model.pkl").write_bytes(pickle.dumps((model, epoch)))
        if core.preempt.should_preempt():
            log.info("asked to leave: the work up to epoch %d is saved", epoch)
            return


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=det.LOG_FORMAT)
    cluster = det.get_cluster_info()
    assert cluster is not None, "run this through: det experiment create config.yaml ."
    with det.core.init() as context:
        main(context, cluster)
