"""How a network learns: its Keras layers, batches, distortions, optimizer and loss."""
