// What the grading page adds to formgrader: links into the person's own JupyterLab, the line about
// work in progress, one button for all submissions, the way to the report for staff, and why something is not saved.
"use strict";

(function () {
  const hub = base_url.split("/services/")[0];
  const formgrader = base_url.endsWith("/formgrader") ? base_url : base_url + "/formgrader";

  // formgrader expects a notebook server at its own address; here each person has one.
  window.linkTo = (type, path) => (_, element) =>
    $(element)
      .attr("href", hub + "/hub/user-redirect/lab/tree/" + path.split("/").map(encodeURIComponent).join("/"))
      .attr("target", "_blank")[0];

  const words = {
    assign: "Generating", release: "Releasing", unrelease: "Unreleasing", collect: "Collecting",
    autograde: "Autograding", generate_feedback: "Writing the feedback of", release_feedback: "Releasing the feedback of",
  };
  let timer = null;

  function show(state) {
    let line = document.getElementById("jobs");
    if (!state.running) {
      if (line) line.remove();
      return;
    }
    if (!line) {
      line = $('<div id="jobs" role="status" class="alert alert-info"/>').css({
        position: "fixed", bottom: 0, right: "1em", zIndex: 1050, marginBottom: "1em",
      }).appendTo("body")[0];
    }
    const job = state.running;
    let text = words[job.action] + " " + job.assignment + (job.student ? " for " + job.student : "");
    if (job.total) text += ": " + job.done + " of " + job.total;
    text += ", " + job.seconds + " s";
    if (state.waiting) text += "; " + state.waiting + " waiting";
    line.textContent = text;
  }

  function look() {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(look, 5000);
      return;
    }
    $.ajax({ url: formgrader + "/api/jobs", headers: { "X-CSRFToken": getCookie("_xsrf") } }).done((state) => {
      show(state);
      timer = setTimeout(look, state.running ? 1000 : 5000);
    });
  }

  function autogradeAll() {
    const button = $(this).prop("disabled", true);
    $.post(formgrader + "/api/submissions/" + encodeURIComponent(assignment_id) + "/autograde").always((answer) => {
      let result = {};
      try {
        result = JSON.parse(typeof answer === "string" ? answer : answer.responseText);
      } catch (error) {
        result = { success: false, log: "" };
      }
      button.prop("disabled", false);
      createLogModal(
        "all-modal", result.success ? "Success" : "Error",
        result.success ? "Everything that has changed was graded." : "Some submissions could not be graded:",
        result.log);
      $("#all-modal").on("hidden.bs.modal", () => location.reload());
    });
    look();
  }

  // What could not be saved stays in its field, with the reason beside it; formgrader would show nothing but its wheel.
  function reason(status) {
    if (status === 413) return "it is longer than 1 MiB. Shorten it.";
    if (status === 403) return "you are not signed in any more. Sign in on another tab, then save again.";
    return "the page's server does not answer" + (status ? " (" + status + ")" : "") + ". Try again in a moment.";
  }

  function sayWhatIsNotSaved(View, field) {
    const initialize = View.prototype.initialize;
    View.prototype.initialize = function () {
      initialize.apply(this, arguments);
      const forget = () => this.$el.find(".unsaved." + field).remove();
      this.listenTo(this.model, "sync", forget);
      this.listenTo(this.model, "error", (_, answer) => {
        forget();
        this.$glyph.stop(true).hide();
        $('<div role="alert" class="unsaved alert alert-danger"/>').addClass(field)
          .text("Not saved: " + reason(answer.status) + " ")
          .append($('<button type="button" class="btn btn-default btn-xs"/>').text("Save again").click(() => this.save()))
          .insertAfter(this.$el.find("." + field).not(".unsaved").last());
      });
    };
  }
  if (typeof CommentUI !== "undefined") {
    sayWhatIsNotSaved(CommentUI, "comment");
    sayWhatIsNotSaved(GradeUI, "score");
    window.addEventListener("beforeunload", (event) => {
      if (document.querySelector(".unsaved")) event.preventDefault();
    });
  }

  $(document).ajaxSend((_, __, options) => {
    if (!options.url.endsWith("/api/jobs")) setTimeout(look, 300);
  });
  $(() => {
    look();
    if (location.pathname.includes("/manage_submissions/")) {
      $("<button/>").attr("type", "button").addClass("btn btn-primary").text("Autograde all").click(autogradeAll)
        .insertBefore("table.table").wrap("<p/>");
    }
    if (typeof submission_id !== "undefined") {
      $("<li/>").append($("<a/>").attr({ href: "staff-report.html", target: "_blank" }).text("Report for staff"))
        .prependTo("ul.navbar-right");
    }
  });
})();
